# Defines tfa_lz4 if LZ4 is installed as a static library or can be fetched; else nothing.
# Never a shared one: a wheel must not need it where it is imported.
set(TFAGENTS_LZ4_URL
    "https://github.com/lz4/lz4/releases/download/v1.10.0/lz4-1.10.0.tar.gz"
    CACHE STRING "Where LZ4 is fetched from when it is not installed")
set(TFAGENTS_LZ4_SHA256
    "537512904744b35e232912055ccf8ec66d768639ff3abe5788d90d792ec5f48b"
    CACHE STRING "SHA-256 of what is fetched")

find_path(TFAGENTS_LZ4_INCLUDE lz4.h)
find_library(TFAGENTS_LZ4_LIBRARY NAMES liblz4.a lz4_static.lib)
if(TFAGENTS_LZ4_INCLUDE AND TFAGENTS_LZ4_LIBRARY)
  # It must have been compiled to go into a shared library, and be of the last years.
  include(CheckCXXSourceCompiles)
  set(CMAKE_REQUIRED_FLAGS -fPIC)
  set(CMAKE_REQUIRED_LINK_OPTIONS -shared)
  set(CMAKE_REQUIRED_INCLUDES ${TFAGENTS_LZ4_INCLUDE})
  set(CMAKE_REQUIRED_LIBRARIES ${TFAGENTS_LZ4_LIBRARY})
  check_cxx_source_compiles("
      #include <lz4.h>
      static_assert(LZ4_VERSION_NUMBER >= 10800, \"too old\");
      int main() { return LZ4_compress_default(\"\", nullptr, 0, 0) +
                          LZ4_decompress_safe(\"\", nullptr, 0, 0); }"
      TFAGENTS_LZ4_USABLE)
  unset(CMAKE_REQUIRED_FLAGS)
  unset(CMAKE_REQUIRED_LINK_OPTIONS)
  unset(CMAKE_REQUIRED_INCLUDES)
  unset(CMAKE_REQUIRED_LIBRARIES)
endif()

if(TFAGENTS_LZ4_USABLE)
  add_library(tfa_lz4 INTERFACE)
  target_include_directories(tfa_lz4 SYSTEM INTERFACE ${TFAGENTS_LZ4_INCLUDE})
  target_link_libraries(tfa_lz4 INTERFACE ${TFAGENTS_LZ4_LIBRARY})
else()
  set(archive "${CMAKE_BINARY_DIR}/lz4.tar.gz")
  # Without a network, or when something else came, the build goes on.
  file(DOWNLOAD "${TFAGENTS_LZ4_URL}" "${archive}" TIMEOUT 30 STATUS status)
  file(SHA256 "${archive}" hash)
  if(hash STREQUAL TFAGENTS_LZ4_SHA256)
    include(FetchContent)
    if(POLICY CMP0135)
      cmake_policy(SET CMP0135 NEW)
    endif()
    # Its own CMake files would build tools too: of the library one file is enough.
    FetchContent_Declare(lz4 URL "${archive}" SOURCE_SUBDIR none)
    FetchContent_MakeAvailable(lz4)
    enable_language(C)
    add_library(tfa_lz4 STATIC "${lz4_SOURCE_DIR}/lib/lz4.c")
    target_include_directories(tfa_lz4 SYSTEM PUBLIC "${lz4_SOURCE_DIR}/lib")
  endif()
endif()
