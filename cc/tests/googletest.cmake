# Defines GTest::gtest_main if GoogleTest is installed or can be fetched; else nothing.
set(TFAGENTS_GOOGLETEST_URL
    "https://github.com/google/googletest/archive/refs/tags/v1.14.0.tar.gz"
    CACHE STRING "Where GoogleTest is fetched from when it is not installed")

find_package(GTest QUIET)
if(NOT TARGET GTest::gtest_main)
  set(archive "${CMAKE_BINARY_DIR}/googletest.tar.gz")
  # Without a network this fails within the timeout and the build goes on.
  file(DOWNLOAD "${TFAGENTS_GOOGLETEST_URL}" "${archive}" STATUS status TIMEOUT 30)
  list(GET status 0 code)
  if(code EQUAL 0)
    include(FetchContent)
    FetchContent_Declare(googletest URL "${archive}")
    set(INSTALL_GTEST OFF)
    FetchContent_MakeAvailable(googletest)
  endif()
endif()
