#include "cc/bindings/replay_binding.h"

#include <pybind11/stl.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

#include "cc/bindings/errors.h"
#include "cc/bindings/exit.h"
#include "cc/fork.h"

namespace py = pybind11;

namespace tfa {
namespace {

// A thread that releases the GIL may wait 5 ms, Python's switch interval, to get it
// back from a thread that runs Python code without a pause. So the GIL is kept where
// the work takes about ten microseconds: up to this many bytes copied, rows, or
// keys.
constexpr int64_t kSmallAppend = 32 * 1024;
constexpr int64_t kSmallSample = 128 * 1024;
constexpr int64_t kSmallKeys = 2048;
constexpr int64_t kSmallRows = 512;

std::vector<ArraySpec> InfoSpecs() {
  const std::vector<Column> columns = {
      {"key", DType::kInt64, {}},           {"probability", DType::kFloat64, {}},
      {"weight", DType::kFloat64, {}},      {"priority", DType::kFloat64, {}},
      {"times_sampled", DType::kInt32, {}}, {"age", DType::kInt64, {}},
  };
  return {columns.begin(), columns.end()};
}

// In the order of InfoSpecs.
SampleArrays ToArrays(const std::vector<void*>& info) {
  SampleArrays arrays;
  arrays.key = static_cast<int64_t*>(info[0]);
  arrays.probability = static_cast<double*>(info[1]);
  arrays.weight = static_cast<double*>(info[2]);
  arrays.priority = static_cast<double*>(info[3]);
  arrays.times_sampled = static_cast<int32_t*>(info[4]);
  arrays.age = static_cast<int64_t*>(info[5]);
  return arrays;
}

// Pointers to the priorities of n new rows, by table. Lives for one call.
class Priorities {
 public:
  Priorities(py::handle given, int64_t num_tables, int64_t n) {
    if (given.is_none()) return;
    for (const py::handle values : given) {
      if (!values.is_none()) owned_.push_back(FloatArray(values, n, "priorities"));
      pointers_.push_back(values.is_none() ? nullptr : owned_.back().data());
    }
    if (static_cast<int64_t>(pointers_.size()) == num_tables) return;
    throw py::value_error("priorities must have one entry for each table");
  }

  // Null when none were given.
  const double* const* data() const {
    return pointers_.empty() ? nullptr : pointers_.data();
  }

 private:
  std::vector<py::array_t<double>> owned_;
  std::vector<const double*> pointers_;
};

py::array_t<int64_t> ToArray(const std::vector<int64_t>& values) {
  return py::array_t<int64_t>(static_cast<py::ssize_t>(values.size()), values.data());
}

// Which of n rows of a stream begin and end episodes: arrays of bools, or one of the
// first row and one of the last.
std::vector<RowFlags> RunFlags(int32_t stream, int64_t n, py::handle first,
                               py::handle last) {
  const Flags is_first(first, n, "first");
  const Flags is_last(last, n, "last");
  std::vector<RowFlags> rows(static_cast<size_t>(n), {stream, false, false});
  for (int64_t i = is_first.is_one() ? n : 0; i < n; ++i) {
    rows[static_cast<size_t>(i)].first = is_first[i];
  }
  for (int64_t i = is_last.is_one() ? n : 0; i < n; ++i) {
    rows[static_cast<size_t>(i)].last = is_last[i];
  }
  if (n > 0 && is_first.is_one()) rows.front().first = is_first[0];
  if (n > 0 && is_last.is_one()) rows.back().last = is_last[0];
  return rows;
}

// An id beyond 32 bits names no stream; clamped, it still names none.
int32_t ToStream(int64_t id) {
  return static_cast<int32_t>(std::clamp<int64_t>(id, -1, INT32_MAX));
}

// Batches of so many items that their product overflows are refused too.
void CheckBatch(int64_t batch_size, int64_t num_batches) {
  if (batch_size < 1 || batch_size > INT32_MAX) {
    throw py::value_error("batch_size is " + std::to_string(batch_size) +
                          "; it must be in [1, 2^31)");
  }
  if (num_batches < 0 || num_batches > INT32_MAX) {
    throw py::value_error("num_batches is " + std::to_string(num_batches) +
                          "; it must be in [1, 2^31), or None");
  }
  if (batch_size * std::max<int64_t>(num_batches, 1) > INT32_MAX) {
    throw py::value_error(std::to_string(num_batches) + " batches of " +
                          std::to_string(batch_size) +
                          " items are too many; together they must be below 2^31");
  }
}

void CheckCount(int64_t n) {
  if (n >= 0) return;
  throw py::value_error("n is " + std::to_string(n) + "; it must be >= 0");
}

// Calls `f`, which may wait for the replay's mutex; releases the GIL if `is_long`, or
// if the mutex is held for long.
template <class F>
auto WithoutGilIf(bool is_long, const Replay& replay, F f) {
  CheckExit();
  if (!is_long && !replay.busy()) return f();
  const WithoutGil without_gil;
  return f();
}

// Calls `f` with the replay: what takes its mutex for a moment.
template <class F>
auto Briefly(const ReplayBinding& binding, F f) {
  Replay& replay = binding.replay();
  return WithoutGilIf(false, replay, [&] { return f(replay); });
}

}  // namespace

ReplayBinding::ReplayBinding(ReplayOptions options)
    : num_forks_(NumForks()),
      process_(getpid()),
      pool_(BufferPool::Create()),
      info_(InfoSpecs()) {
  replay_ = ValueOrThrow(Replay::Create(std::move(options)));
  for (const Column& column : replay_->columns()) {
    columns_.emplace_back(column);
    row_bytes_ += column.row_bytes();
  }
  for (int64_t t = 0; t < replay_->num_tables(); ++t) {
    std::vector<ArraySpec>& specs = outputs_.emplace_back();
    int64_t& bytes = sample_bytes_.emplace_back(0);
    for (const View& view : replay_->table_options(t).views) {
      specs.emplace_back(view.Output(replay_->columns()), view.batch_axis());
      bytes += specs.back().column().row_bytes();
    }
  }
}

ReplayBinding::~ReplayBinding() {
  // Its threads cannot be joined, and its mutex may be held by one of them.
  if (num_forks_ != NumForks()) static_cast<void>(replay_.release());
}

Replay& ReplayBinding::replay() const {
  if (num_forks_ == NumForks()) return *replay_;
  throw std::runtime_error(
      "this replay belongs to process " + std::to_string(process_) +
      ", of which process " + std::to_string(getpid()) +
      " is a fork; make a replay in each process, or start workers by "
      "multiprocessing's \"spawn\"");
}

int64_t ReplayBinding::CheckTable(int64_t table) const {
  if (table < 0 || table >= replay().num_tables()) {
    throw py::index_error("there is no table " + std::to_string(table));
  }
  return table;
}

py::object ReplayBinding::AppendRows(AppendMethod append, const RowFlags* rows,
                                     int64_t n, const RowPointers& pointers,
                                     py::handle priorities,
                                     std::optional<double> timeout, bool return_keys) {
  const Priorities values(priorities, replay().num_tables(), n);
  const Deadline deadline = ToDeadline(timeout);
  NewKeys keys;
  const auto attempt = [&](Deadline until) {
    return (replay_.get()->*append)(rows, n, pointers.data(), values.data(), until,
                                    return_keys ? &keys : nullptr);
  };
  const bool small = n * row_bytes_ <= kSmallAppend && n <= kSmallRows;
  ThrowIfError(WaitInterruptibly(deadline, small && !replay_->busy(), attempt));
  if (!return_keys) return py::none();
  py::list lists;
  for (const std::vector<int64_t>& each : keys) lists.append(ToArray(each));
  return lists;
}

py::object ReplayBinding::Append(py::handle arrays, py::handle first, py::handle last,
                                 py::handle streams, py::handle priorities,
                                 std::optional<double> timeout, bool return_keys) {
  py::array_t<int64_t> ids;
  const bool all = streams.is_none();
  if (!all) ids = IntegerArray(streams, "streams");
  const int64_t n = all ? replay().num_streams() : ids.size();
  const Flags is_first(first, n, "first");
  const Flags is_last(last, n, "last");
  const RowPointers pointers(columns_, arrays, n);
  std::vector<RowFlags> rows(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    const int64_t id = all ? i : ids.data()[i];
    rows[static_cast<size_t>(i)] = {ToStream(id), is_first[i], is_last[i]};
  }
  return AppendRows(&Replay::Append, rows.data(), n, pointers, priorities, timeout,
                    return_keys);
}

py::object ReplayBinding::AppendOne(py::handle arrays, py::handle first,
                                    py::handle last, int64_t stream,
                                    py::handle priorities,
                                    std::optional<double> timeout, bool return_keys) {
  const RowPointers pointers(columns_, arrays, -1);
  const RowFlags row = {ToStream(stream), Flags(first, 1, "first")[0],
                        Flags(last, 1, "last")[0]};
  return AppendRows(&Replay::Append, &row, 1, pointers, priorities, timeout,
                    return_keys);
}

py::object ReplayBinding::AppendSteps(py::handle arrays, py::handle first,
                                      py::handle last, int64_t stream,
                                      py::handle priorities,
                                      std::optional<double> timeout, bool return_keys) {
  const int64_t n = NumRows(arrays);
  const std::vector<RowFlags> rows = RunFlags(ToStream(stream), n, first, last);
  const RowPointers pointers(columns_, arrays, n);
  return AppendRows(&Replay::AppendSteps, rows.data(), n, pointers, priorities, timeout,
                    return_keys);
}

bool ReplayBinding::AppendChunk(const std::string& writer, int64_t number,
                                py::handle arrays, py::handle first, py::handle last,
                                py::handle priorities, std::optional<double> timeout,
                                bool ask_limiters) {
  const int64_t n = NumRows(arrays);
  std::vector<RowFlags> rows = RunFlags(0, n, first, last);
  const RowPointers pointers(columns_, arrays, n);
  const Priorities values(priorities, replay().num_tables(), n);
  const Chunk chunk = {writer, number};
  bool is_new = false;
  const auto attempt = [&](Deadline until) {
    const StatusOr<bool> appended =
        replay_->AppendChunk(chunk, rows.data(), n, pointers.data(), values.data(),
                             until, ask_limiters);
    if (appended.ok()) is_new = *appended;
    return appended.status();
  };
  ThrowIfError(WaitInterruptibly(ToDeadline(timeout), false, attempt));
  return is_new;
}

bool ReplayBinding::CloseWriter(const std::string& writer, int64_t number) {
  Replay& open = replay();
  return ValueOrThrow(
      WithoutGilIf(true, open, [&] { return open.CloseWriter({writer, number}); }));
}

int64_t ReplayBinding::LastNumber(const std::string& writer) const {
  return ValueOrThrow(
      Briefly(*this, [&writer](Replay& open) { return open.LastNumber(writer); }));
}

py::dict ReplayBinding::Writers() const {
  const std::vector<Chunk> list =
      ValueOrThrow(Briefly(*this, [](Replay& open) { return open.ListWriters(); }));
  py::dict writers;
  for (const Chunk& each : list) writers[py::str(each.writer)] = each.number;
  return writers;
}

int64_t ReplayBinding::CreateItem(int64_t table, int32_t stream, int64_t back,
                                  int64_t length, std::optional<double> priority,
                                  std::optional<double> timeout) {
  CheckTable(table);
  int64_t key = 0;
  const auto attempt = [&](Deadline until) {
    StatusOr<int64_t> made =
        replay_->CreateItem(table, stream, back, length, priority, until);
    if (made.ok()) key = *made;
    return made.status();
  };
  ThrowIfError(WaitInterruptibly(ToDeadline(timeout), !replay().busy(), attempt));
  return key;
}

py::tuple ReplayBinding::NewSample(size_t table, BatchShape batch,
                                   std::vector<void*>* info, std::vector<void*>* data) {
  const std::vector<ArraySpec>& specs = outputs_[table];
  const int64_t num_items = batch.num_rows();
  // No memory has so many bytes, and sums of them could overflow.
  constexpr double kTooMany = 0x1p50;
  if (static_cast<double>(num_items) * static_cast<double>(sample_bytes_[table]) >
      kTooMany) {
    ThrowIfError(ResourceExhaustedError("no memory for a sample of " +
                                        std::to_string(num_items) + " items of " +
                                        std::to_string(sample_bytes_[table]) +
                                        " bytes"));
  }
  // Small arrays share a buffer with the info, which is faster; large ones have their
  // own, so that one that is kept does not keep the others' memory.
  const bool share = num_items * sample_bytes_[table] <= kSmallSample;
  int64_t bytes = 0;
  for (const ArraySpec& spec : info_) bytes += SharedBuffer::Bytes(spec, num_items);
  for (const ArraySpec& spec : specs) {
    if (share) bytes += SharedBuffer::Bytes(spec, num_items);
  }
  SharedBuffer shared(pool_.get(), bytes);
  py::tuple info_arrays(info_.size());
  info->resize(info_.size());
  for (size_t i = 0; i < info_.size(); ++i) {
    info_arrays[i] = shared.NewArray(info_[i], batch, &(*info)[i]);
  }
  py::tuple data_arrays(specs.size());
  data->resize(specs.size());
  for (size_t v = 0; v < specs.size(); ++v) {
    void** const to = &(*data)[v];
    data_arrays[v] = share ? shared.NewArray(specs[v], batch, to)
                           : NewArray(pool_.get(), specs[v], batch, to);
  }
  return py::make_tuple(std::move(info_arrays), std::move(data_arrays));
}

void ReplayBinding::SampleInto(size_t table, BatchShape batch, py::handle out,
                               std::vector<void*>* info,
                               std::vector<void*>* data) const {
  const auto pair = py::cast<py::tuple>(out);
  const auto take = [batch](const std::vector<ArraySpec>& specs,
                            const py::sequence& arrays, std::vector<void*>* to) {
    if (arrays.size() != specs.size()) {
      throw py::value_error("out has " + std::to_string(arrays.size()) +
                            " arrays where the table's sample has " +
                            std::to_string(specs.size()));
    }
    for (size_t i = 0; i < specs.size(); ++i) {
      to->push_back(OutputPointer(specs[i], arrays[i], batch));
    }
  };
  take(info_, pair[0], info);
  take(outputs_[table], pair[1], data);
}

py::tuple ReplayBinding::Sample(int64_t table, int64_t batch_size, double beta,
                                bool by_table, std::optional<double> timeout,
                                py::handle out, int64_t num_batches) {
  const auto t = static_cast<size_t>(CheckTable(table));
  CheckBatch(batch_size, num_batches);
  const BatchShape batch = {batch_size, num_batches};
  const int64_t num_items = batch.num_rows();
  const Deadline deadline = ToDeadline(timeout);
  // Before memory is asked for, which for such a size there may not be.
  if (num_items > kSmallKeys) ThrowIfError(replay_->CheckSample(table, num_items));
  std::vector<void*> info;
  std::vector<void*> data;
  py::tuple sample;
  if (out.is_none()) {
    sample = NewSample(t, batch, &info, &data);
  } else {
    SampleInto(t, batch, out, &info, &data);
    sample = py::reinterpret_borrow<py::tuple>(out);
  }
  const SampleArrays arrays = ToArrays(info);
  using Normalizer = WeightOptions::Normalizer;
  const WeightOptions weights = {beta,
                                 by_table ? Normalizer::kTable : Normalizer::kBatch};
  const auto attempt = [&](Deadline until) {
    return replay_->Sample(table, num_items, weights, arrays, data.data(), until,
                           num_items / batch_size);
  };
  const bool small = num_items * sample_bytes_[t] <= kSmallSample;
  ThrowIfError(WaitInterruptibly(deadline, small && !replay_->busy(), attempt));
  return sample;
}

py::tuple ReplayBinding::Get(int64_t table, py::handle keys, bool skip) {
  const auto t = static_cast<size_t>(CheckTable(table));
  const py::array_t<int64_t> ids = IntegerArray(keys, "keys");
  std::vector<int64_t> wanted(ids.data(), ids.data() + ids.size());
  const auto n = [&wanted] { return static_cast<int64_t>(wanted.size()); };
  for (;;) {
    if (skip) {
      wanted = ValueOrThrow(WithoutGilIf(n() > kSmallKeys, replay(), [&] {
        return replay_->LiveKeys(table, wanted.data(), n());
      }));
    }
    std::vector<void*> info;
    std::vector<void*> data;
    py::tuple sample = NewSample(t, {n()}, &info, &data);
    const bool is_long = n() * sample_bytes_[t] > kSmallSample || n() > kSmallKeys;
    const auto attempt = [&](Deadline until) {
      return replay_->Get(table, wanted.data(), n(), ToArrays(info), data.data(),
                          until);
    };
    const Status status = WaitInterruptibly(
        Deadline::max(), !is_long && !replay().busy(), attempt);
    // Another thread may have removed an item since.
    if (skip && status.code() == StatusCode::kNotFound) continue;
    ThrowIfError(status);
    return sample;
  }
}

py::array_t<int64_t> ReplayBinding::Keys(int64_t table) {
  CheckTable(table);
  return ToArray(
      ValueOrThrow(WithoutGilIf(true, replay(), [&] { return replay_->Keys(table); })));
}

int64_t ReplayBinding::UpdatePriorities(int64_t table, py::handle keys,
                                        py::handle priorities) {
  CheckTable(table);
  const py::array_t<int64_t> ids = IntegerArray(keys, "keys");
  const int64_t n = ids.size();
  const py::array_t<double> values = FloatArray(priorities, n, "priorities");
  const int64_t* const id = ids.data();
  const double* const value = values.data();
  return ValueOrThrow(WithoutGilIf(n > kSmallKeys, replay(), [&] {
    return replay_->UpdatePriorities(table, id, value, n);
  }));
}

int64_t ReplayBinding::Delete(int64_t table, py::handle keys) {
  CheckTable(table);
  const py::array_t<int64_t> ids = IntegerArray(keys, "keys");
  const int64_t* const id = ids.data();
  const int64_t n = ids.size();
  return ValueOrThrow(WithoutGilIf(n > kSmallKeys, replay(),
                                   [&] { return replay_->Delete(table, id, n); }));
}

int64_t ReplayBinding::Overwrite(int64_t table, py::handle keys,
                                 const std::vector<int64_t>& columns, py::handle arrays,
                                 int64_t start, std::optional<int64_t> stop) {
  CheckTable(table);
  const py::array_t<int64_t> ids = IntegerArray(keys, "keys");
  const int64_t* const id = ids.data();
  const int64_t n = ids.size();
  RowValues values;
  // No item has a row beyond 31 bits; clamped, it still is none.
  values.start = std::clamp<int64_t>(start, -kMaxExtent, kMaxExtent);
  values.stop = std::min<int64_t>(stop.value_or(values.start + 1), kMaxExtent + 1);
  for (const int64_t column : columns) values.columns.push_back({column, nullptr});
  ThrowIfError(values.Validate(replay().columns()));
  std::vector<ArraySpec> specs;
  int64_t bytes = 0;
  for (const int64_t c : columns) {
    Column column = replay_->columns()[static_cast<size_t>(c)];
    if (stop.has_value()) column.shape.insert(column.shape.begin(), values.num_rows());
    specs.emplace_back(column);
    bytes += n * column.row_bytes();
  }
  const RowPointers pointers(specs, arrays, n);
  for (size_t c = 0; c < specs.size(); ++c) values.columns[c].data = pointers.data()[c];
  int64_t found = 0;
  const auto attempt = [&](Deadline until) {
    const StatusOr<int64_t> done =
        replay_->Overwrite(table, id, n, values, until);
    if (done.ok()) found = *done;
    return done.status();
  };
  const bool small = bytes <= kSmallAppend && n <= kSmallKeys;
  ThrowIfError(
      WaitInterruptibly(Deadline::max(), small && !replay_->busy(), attempt));
  return found;
}

void ReplayBinding::WaitUntilCompressed(std::optional<double> timeout) {
  const auto attempt = [this](Deadline until) { return replay_->AwaitPacked(until); };
  ThrowIfError(WaitInterruptibly(ToDeadline(timeout), !replay().busy(), attempt));
}

void ReplayBinding::Reset() {
  ThrowIfError(WithoutGilIf(true, replay(), [this] { return replay_->Reset(); }));
  pool_->Trim();
}

void ReplayBinding::Close() {
  Replay& open = replay();
  {
    const WithoutGil without_gil;
    open.Close();
  }
  pool_->Trim();
}

py::list ReplayBinding::Outputs(int64_t table) const {
  py::list outputs;
  for (const ArraySpec& spec : outputs_[static_cast<size_t>(CheckTable(table))]) {
    const Column& column = spec.column();
    outputs.append(py::make_tuple(
        DTypeName(column.dtype), py::tuple(py::cast(column.shape)), spec.batch_axis()));
  }
  return outputs;
}

void BindReplay(py::module_& module) {
  py::class_<TableStats>(module, "TableStats")
      .def_readonly("size", &TableStats::size)
      .def_readonly("num_inserted", &TableStats::num_inserted)
      .def_readonly("num_sampled", &TableStats::num_sampled)
      .def_readonly("num_deleted", &TableStats::num_deleted)
      .def_readonly("num_stale_updates", &TableStats::num_stale_updates)
      .def_readonly("max_priority", &TableStats::max_priority)
      .def_readonly("total_weight", &TableStats::total_weight)
      .def_readonly("least_weight", &TableStats::least_weight);

  py::class_<ReplayBinding>(module, "Replay")
      .def(py::init<ReplayOptions>(), py::arg("options"))
      .def("append", &ReplayBinding::Append)
      .def("row_appender", &MakeRowAppender)
      .def("append_steps", &ReplayBinding::AppendSteps)
      .def("append_chunk", &ReplayBinding::AppendChunk)
      .def("close_writer", &ReplayBinding::CloseWriter)
      .def("last_number", &ReplayBinding::LastNumber)
      .def("writers", &ReplayBinding::Writers)
      .def("create_item", &ReplayBinding::CreateItem)
      .def("sample", &ReplayBinding::Sample)
      .def("get", &ReplayBinding::Get)
      .def("keys", &ReplayBinding::Keys)
      .def("set_alpha",
           [](ReplayBinding& self, int64_t table, double alpha) {
             self.CheckTable(table);
             Replay& replay = self.replay();
             ThrowIfError(WithoutGilIf(
                 true, replay, [&] { return replay.SetAlpha(table, alpha); }));
           })
      .def("set_rate_limiter",
           [](ReplayBinding& self, int64_t table, const RateLimiterOptions& limiter) {
             const int64_t t = self.CheckTable(table);
             ThrowIfError(Briefly(
                 self, [&](Replay& r) { return r.SetRateLimiter(t, limiter); }));
           })
      .def("update_priorities", &ReplayBinding::UpdatePriorities)
      .def("delete", &ReplayBinding::Delete)
      .def("overwrite", &ReplayBinding::Overwrite)
      .def("outputs", &ReplayBinding::Outputs)
      .def("why_not_sample",
           [](ReplayBinding& self, int64_t table, int64_t n) {
             const int64_t t = self.CheckTable(table);
             CheckCount(n);
             return ValueOrThrow(
                 Briefly(self, [=](Replay& r) { return r.WhyNotSample(t, n); }));
           })
      .def("why_not_insert",
           [](ReplayBinding& self, int64_t table, int64_t n) {
             const int64_t t = self.CheckTable(table);
             CheckCount(n);
             return ValueOrThrow(
                 Briefly(self, [=](Replay& r) { return r.WhyNotInsert(t, n); }));
           })
      .def("check_batch_size",
           [](ReplayBinding& self, int64_t table, int64_t batch_size,
              int64_t num_prefetched) {
             const int64_t t = self.CheckTable(table);
             ThrowIfError(Briefly(self, [=](Replay& r) {
               return r.CheckBatch(t, batch_size, num_prefetched);
             }));
           })
      .def("stats",
           [](ReplayBinding& self, int64_t table) {
             const int64_t t = self.CheckTable(table);
             return ValueOrThrow(Briefly(self, [=](Replay& r) { return r.Stats(t); }));
           })
      .def("projected_bytes",
           [](ReplayBinding& self, int64_t table) {
             const int64_t t = self.CheckTable(table);
             return Briefly(self, [=](Replay& r) { return r.ProjectedBytes(t); });
           })
      .def("event",
           [](ReplayBinding& self) {
             return ValueOrThrow(Briefly(self, [](Replay& r) { return r.Event(); }));
           })
      .def("clear_event", [](ReplayBinding& self) { self.replay().ClearEvent(); })
      .def("reset", &ReplayBinding::Reset)
      .def("wait_until_compressed", &ReplayBinding::WaitUntilCompressed)
      .def("close", &ReplayBinding::Close)
      .def("check_valid",
           [](ReplayBinding& self) {
             ThrowIfError(WithoutGilIf(true, self.replay(), [&self] {
               return self.replay().CheckValid();
             }));
           })
      .def_property_readonly("closed",
                             [](ReplayBinding& self) {
                               return Briefly(self,
                                              [](Replay& r) { return r.closed(); });
                             })
      .def_property_readonly("bytes_allocated",
                             [](ReplayBinding& self) {
                               return Briefly(
                                   self, [](Replay& r) { return r.bytes_allocated(); });
                             })
      .def_property_readonly("bytes_in_use",
                             [](ReplayBinding& self) {
                               return Briefly(
                                   self, [](Replay& r) { return r.bytes_in_use(); });
                             })
      .def_property_readonly("pool_bytes_allocated",
                             &ReplayBinding::pool_bytes_allocated);
}

}  // namespace tfa
