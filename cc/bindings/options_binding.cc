#include <pybind11/native_enum.h>
#include <pybind11/stl.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "cc/bindings/replay_binding.h"
#include "cc/replay.h"

namespace py = pybind11;

namespace tfa {
namespace {

constexpr DType kDTypes[] = {
    DType::kBool,   DType::kInt8,    DType::kInt16,   DType::kInt32,
    DType::kInt64,  DType::kUint8,   DType::kUint16,  DType::kUint32,
    DType::kUint64, DType::kFloat16, DType::kFloat32, DType::kFloat64,
    DType::kBfloat16,
};

DType ToDType(const std::string& column, const std::string& dtype) {
  for (const DType known : kDTypes) {
    if (dtype == DTypeName(known)) return known;
  }
  throw py::value_error("column '" + column + "' has dtype " + dtype +
                        "; bool, integers and floats of at most 64 bits in native "
                        "byte order can be stored");
}

Compression ToCompression(const std::string& column, const std::string& name) {
  if (name.empty()) return Compression::kNone;
  if (name == "lz4") return Compression::kLz4;
  throw py::value_error("column '" + column + "' asks for compression '" + name +
                        "'; there is 'lz4'");
}

void BindViewsAndPatterns(py::module_& module) {
  py::native_enum<View::Kind>(module, "ViewKind", "enum.Enum")
      .value("ROW", View::Kind::kRow)
      .value("ROWS", View::Kind::kRows)
      .value("RETURN", View::Kind::kReturn)
      .value("DISCOUNT", View::Kind::kDiscount)
      .value("MASK", View::Kind::kMask)
      .value("STEP", View::Kind::kStep)
      .value("STEPS", View::Kind::kSteps)
      .value("IS_FIRST", View::Kind::kIsFirst)
      .finalize();
  py::class_<View>(module, "View")
      .def(py::init([](View::Kind kind, int64_t column, int64_t discount, int64_t start,
                       int64_t stop, int64_t stack, double gamma, bool before) {
             return View{kind,  column, discount, start, stop,
                         stack, gamma,  before,   false};
           }),
           py::kw_only(), py::arg("kind"), py::arg("column") = 0,
           py::arg("discount") = 0, py::arg("start") = 0, py::arg("stop") = 0,
           py::arg("stack") = 0, py::arg("gamma") = 1.0, py::arg("before") = false)
      .def_readwrite("time_major", &View::time_major);

  py::native_enum<Pattern::Kind>(module, "PatternKind", "enum.Enum")
      .value("N_STEP", Pattern::Kind::kNStep)
      .value("SEQUENCE", Pattern::Kind::kSequence)
      .value("EPISODE", Pattern::Kind::kEpisode)
      .value("EXPLICIT", Pattern::Kind::kExplicit)
      .value("UNROLL", Pattern::Kind::kUnroll)
      .finalize();
  py::class_<Pattern>(module, "Pattern")
      .def(py::init([](Pattern::Kind kind, int64_t length, int64_t period, bool pad,
                       bool short_starts) {
             return Pattern{kind, length, period, pad, short_starts};
           }),
           py::kw_only(), py::arg("kind"), py::arg("length") = 1, py::arg("period") = 1,
           py::arg("pad") = true, py::arg("short_starts") = true);
}

void BindSelectorsAndLimiters(py::module_& module) {
  py::native_enum<SelectorOptions::Kind>(module, "SelectorKind", "enum.Enum")
      .value("UNIFORM", SelectorOptions::Kind::kUniform)
      .value("PRIORITIZED", SelectorOptions::Kind::kPrioritized)
      .value("FIFO", SelectorOptions::Kind::kFifo)
      .value("LIFO", SelectorOptions::Kind::kLifo)
      .value("MIN_HEAP", SelectorOptions::Kind::kMinHeap)
      .value("MAX_HEAP", SelectorOptions::Kind::kMaxHeap)
      .value("WITHOUT_REPLACEMENT", SelectorOptions::Kind::kWithoutReplacement)
      .finalize();
  py::class_<SelectorOptions>(module, "Selector")
      .def(py::init([](SelectorOptions::Kind kind, double alpha, bool stratified,
                       double uniform_mix) {
             return SelectorOptions{kind, {alpha, stratified, uniform_mix}};
           }),
           py::kw_only(), py::arg("kind"), py::arg("alpha") = 1.0,
           py::arg("stratified") = false, py::arg("uniform_mix") = 0.0);

  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  py::class_<RateLimiterOptions>(module, "RateLimiter")
      .def(py::init([](double samples_per_insert, int64_t min_size, double min_diff,
                       double max_diff) {
             RateLimiterOptions options;
             options.samples_per_insert = samples_per_insert;
             options.min_size = min_size;
             options.min_diff = min_diff;
             options.max_diff = max_diff;
             return options;
           }),
           py::kw_only(), py::arg("samples_per_insert") = 1.0, py::arg("min_size") = 1,
           py::arg("min_diff") = -kInfinity, py::arg("max_diff") = kInfinity);
}

}  // namespace

void BindOptions(py::module_& module) {
  BindViewsAndPatterns(module);
  BindSelectorsAndLimiters(module);

  py::class_<Column>(module, "Column")
      .def(py::init([](std::string name, const std::string& dtype,
                       std::vector<int64_t> shape, const std::string& compression) {
             const DType type = ToDType(name, dtype);
             const Compression how = ToCompression(name, compression);
             return Column{std::move(name), type, std::move(shape), how};
           }),
           py::arg("name"), py::arg("dtype"), py::arg("shape"),
           py::arg("compression") = "");

  py::class_<TableOptions>(module, "TableOptions")
      .def(py::init([](std::string name, SelectorOptions sampler,
                       SelectorOptions remover, int64_t max_size,
                       int64_t max_times_sampled, RateLimiterOptions rate_limiter,
                       Pattern pattern, std::string insert_on_sample,
                       std::vector<View> views) {
             return TableOptions{
                 std::move(name),   sampler,      remover, max_size,
                 max_times_sampled, rate_limiter, pattern, std::move(insert_on_sample),
                 std::move(views)};
           }),
           py::kw_only(), py::arg("name"), py::arg("sampler"), py::arg("remover"),
           py::arg("max_size"), py::arg("max_times_sampled"), py::arg("rate_limiter"),
           py::arg("pattern"), py::arg("insert_on_sample"), py::arg("views"));

  py::class_<ReplayOptions>(module, "ReplayOptions")
      .def(
          py::init([](std::vector<Column> columns, std::vector<TableOptions> tables,
                      int64_t num_streams, int64_t rows_per_append, int64_t history,
                      int64_t segment_rows, int64_t max_bytes, uint64_t seed,
                      int64_t shard, int64_t epoch, std::string storage_directory) {
            return ReplayOptions{std::move(columns),
                                 std::move(tables),
                                 num_streams,
                                 rows_per_append,
                                 history,
                                 segment_rows,
                                 max_bytes,
                                 seed,
                                 shard,
                                 epoch,
                                 std::move(storage_directory)};
          }),
          py::kw_only(), py::arg("columns"), py::arg("tables"), py::arg("num_streams"),
          py::arg("rows_per_append"), py::arg("history"), py::arg("segment_rows"),
          py::arg("max_bytes"), py::arg("seed"), py::arg("shard"), py::arg("epoch"),
          py::arg("storage_directory"));
}

}  // namespace tfa
