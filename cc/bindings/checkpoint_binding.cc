#include <pybind11/stl.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cc/bindings/errors.h"
#include "cc/bindings/exit.h"
#include "cc/bindings/replay_binding.h"
#include "cc/file.h"

namespace py = pybind11;

namespace tfa {
namespace {

std::vector<FileSum> Save(ReplayBinding& self, const std::string& directory,
                          const std::string& base, const py::object& when_copied) {
  const auto call = [&when_copied] {
    try {
      when_copied();
    } catch (py::error_already_set& error) {
      // The save must continue, because it still has to unpin the rows.
      error.discard_as_unraisable("when_copied");
    }
  };
  Replay& replay = self.replay();
  return ValueOrThrow([&] {
    WithoutGil without_gil;
    return replay.Save(directory, base, [&] {
      if (!when_copied.is_none()) without_gil.Interrupt(call);
    });
  }());
}

void Restore(ReplayBinding& self, const std::string& directory,
             const std::vector<FileSum>& files, std::optional<int64_t> epoch) {
  CheckExit();
  Replay& replay = self.replay();
  ThrowIfError([&] {
    const WithoutGil without_gil;
    return replay.Restore(directory, files, epoch);
  }());
}

void Verify(const std::string& directory, const FileSum& expected) {
  CheckExit();
  ThrowIfError([&] {
    const WithoutGil without_gil;
    return VerifyFile(directory, expected);
  }());
}

}  // namespace

void BindCheckpoints(py::module_& module) {
  py::class_<FileSum>(module, "FileSum")
      .def(py::init([](std::string name, int64_t bytes, uint32_t crc32c) {
             return FileSum{std::move(name), bytes, crc32c};
           }),
           py::arg("name"), py::arg("bytes"), py::arg("crc32c"))
      .def_readonly("name", &FileSum::name)
      .def_readonly("bytes", &FileSum::bytes)
      .def_readonly("crc32c", &FileSum::crc32c);
  module.def("verify_file", &Verify, py::arg("directory"), py::arg("expected"));

  py::reinterpret_borrow<py::class_<ReplayBinding>>(module.attr("Replay"))
      .def("save", &Save)
      .def("saved_names",
           [](ReplayBinding& self) {
             Replay& replay = self.replay();
             const WithoutGil without_gil;
             return replay.SavedNames();
           })
      .def("restore", &Restore);
}

}  // namespace tfa
