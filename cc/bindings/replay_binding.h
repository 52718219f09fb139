// The Python class `Replay`.
#ifndef TFAGENTS_CORE_CC_BINDINGS_REPLAY_BINDING_H_
#define TFAGENTS_CORE_CC_BINDINGS_REPLAY_BINDING_H_

#include <pybind11/pybind11.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cc/bindings/arrays.h"
#include "cc/buffer_pool.h"
#include "cc/replay.h"

namespace tfa {

// Checks the arguments from Python, calls the replay and wraps its results.
//
// Releases the GIL while it waits, for appends and samples of much data, and while
// another call has the replay for long. Thread-safe like the replay. Owns the replay,
// and leaves it alone in a forked process: see `NumForks`.
class ReplayBinding {
 public:
  explicit ReplayBinding(ReplayOptions options);
  ~ReplayBinding();
  ReplayBinding(const ReplayBinding&) = delete;
  ReplayBinding& operator=(const ReplayBinding&) = delete;

  // Throws a RuntimeError in a forked process.
  Replay& replay() const;
  // Throws an IndexError unless there is such a table.
  int64_t CheckTable(int64_t table) const;

  // `priorities`: None, or a list with an array or None for each table. Returns None,
  // or with `return_keys` a list with the keys of the new items for each table.
  pybind11::object Append(pybind11::handle arrays, pybind11::handle first,
                          pybind11::handle last, pybind11::handle streams,
                          pybind11::handle priorities, std::optional<double> timeout,
                          bool return_keys);
  pybind11::object AppendOne(pybind11::handle arrays, pybind11::handle first,
                             pybind11::handle last, int64_t stream,
                             pybind11::handle priorities, std::optional<double> timeout,
                             bool return_keys);
  // A single bool is of the run's first row, or its last.
  pybind11::object AppendSteps(pybind11::handle arrays, pybind11::handle first,
                               pybind11::handle last, int64_t stream,
                               pybind11::handle priorities,
                               std::optional<double> timeout, bool return_keys);
  // Whether it was new. Unless `ask_limiters`, it waits for no rate limiter.
  bool AppendChunk(const std::string& writer, int64_t number, pybind11::handle arrays,
                   pybind11::handle first, pybind11::handle last,
                   pybind11::handle priorities, std::optional<double> timeout,
                   bool ask_limiters);
  bool CloseWriter(const std::string& writer, int64_t number);
  int64_t LastNumber(const std::string& writer) const;
  // Last numbers by name.
  pybind11::dict Writers() const;
  int64_t CreateItem(int64_t table, int32_t stream, int64_t back, int64_t length,
                     std::optional<double> priority, std::optional<double> timeout);
  // Returns (info arrays, data arrays); `out` is None or such a pair to write into.
  // `by_table`: whether weights are normalised by the table's largest, not the batch's.
  // With `num_batches` > 0 the arrays have an axis of batches first.
  pybind11::tuple Sample(int64_t table, int64_t batch_size, double beta, bool by_table,
                         std::optional<double> timeout, pybind11::handle out,
                         int64_t num_batches);
  // The same pair for the items of these keys, which are not drawn; with `skip` without
  // those that have gone.
  pybind11::tuple Get(int64_t table, pybind11::handle keys, bool skip);
  pybind11::array_t<int64_t> Keys(int64_t table);
  int64_t UpdatePriorities(int64_t table, pybind11::handle keys,
                           pybind11::handle priorities);
  int64_t Delete(int64_t table, pybind11::handle keys);
  // `arrays`: the new values of each of the columns, of rows start..stop-1 of the items
  // as [N, stop - start, *shape], or without a stop of row `start` as [N, *shape].
  int64_t Overwrite(int64_t table, pybind11::handle keys,
                    const std::vector<int64_t>& columns, pybind11::handle arrays,
                    int64_t start, std::optional<int64_t> stop);
  void WaitUntilCompressed(std::optional<double> timeout);
  void Reset();
  void Close();
  // Returns (dtype name, shape without batch axis, batch axis) of each output array.
  pybind11::list Outputs(int64_t table) const;
  int64_t pool_bytes_allocated() const { return pool_->bytes_allocated(); }

 private:
  // `Append` or `AppendSteps`.
  using AppendMethod = Status (Replay::*)(const RowFlags*, int64_t, const void* const*,
                                          const double* const*, Deadline, NewKeys*);
  pybind11::object AppendRows(AppendMethod append, const RowFlags* rows, int64_t n,
                              const RowPointers& pointers, pybind11::handle priorities,
                              std::optional<double> timeout, bool return_keys);
  pybind11::tuple NewSample(size_t table, BatchShape batch, std::vector<void*>* info,
                            std::vector<void*>* data);
  void SampleInto(size_t table, BatchShape batch, pybind11::handle out,
                  std::vector<void*>* info, std::vector<void*>* data) const;

  const int64_t num_forks_;
  const int64_t process_;
  std::unique_ptr<Replay> replay_;
  std::shared_ptr<BufferPool> pool_;  // shared with the arrays handed to Python
  std::vector<ArraySpec> columns_;
  std::vector<ArraySpec> info_;
  std::vector<std::vector<ArraySpec>> outputs_;  // by table
  std::vector<int64_t> sample_bytes_;            // of an item, by table
  int64_t row_bytes_ = 0;
};

// `AppendOne` of a `Replay`, which it keeps alive, as a plain CPython function:
// pybind11's dispatch of arguments would take as long as the append itself.
pybind11::object MakeRowAppender(pybind11::object replay);

// Add the option classes and `Replay` to the module.
void BindOptions(pybind11::module_& module);
void BindReplay(pybind11::module_& module);

// Adds `FileSum` and `verify_file` to the module, and `save` and `restore` to `Replay`.
// REQUIRES: BindReplay was called before.
void BindCheckpoints(pybind11::module_& module);

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_BINDINGS_REPLAY_BINDING_H_
