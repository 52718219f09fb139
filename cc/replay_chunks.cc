// Chunks: runs of rows that are appended at most once, each writer's on a stream of its
// own.
#include <new>
#include <utility>

#include "cc/replay.h"

namespace tfa {

StatusOr<bool> Replay::AppendChunk(const Chunk& chunk, RowFlags* rows, int64_t n,
                                   const void* const* columns,
                                   const double* const* priorities, Deadline deadline,
                                   bool ask_limiters) {
  if (n < 1 || n > INT32_MAX) {
    return InvalidArgumentError("a chunk of " + std::to_string(n) +
                                " rows; it must have from 1 to 2^31 - 1");
  }
  AppendCall call = {true, rows, n, columns, priorities, nullptr, ask_limiters};
  call.chunk = &chunk;
  call.chunk_rows = rows;
  TFA_RETURN_IF_ERROR(AppendRows(&call, deadline));
  return call.chunk_is_new;
}

// Finds the stream of a chunk that is new, and names it in the rows: that of its writer
// or, for one that has none, a free one, which becomes the writer's when the rows are
// appended.
Status Replay::FindStream(AppendCall* call) const {
  const StatusOr<bool> taken = writers_.IsTaken(*call->chunk);
  if (!taken.ok()) return taken.status();
  call->chunk_is_new = !*taken;
  if (*taken) return OkStatus();
  int32_t stream = writers_.Stream(call->chunk->writer);
  if (stream < 0) {
    const auto is_used = [this](int32_t s) {
      return writers_.Owns(s) || store_->HistoryRows(s) > 0;
    };
    for (stream = 0; stream < num_streams() && is_used(stream);) ++stream;
  }
  if (stream == num_streams()) {
    return InvalidArgumentError("writer '" + call->chunk->writer +
                                "' finds no free stream: all " +
                                std::to_string(num_streams()) +
                                " are in use; close a writer, or raise num_streams");
  }
  for (int64_t i = 0; i < call->n; ++i) call->chunk_rows[i].stream = stream;
  return OkStatus();
}

// A stream that is a writer's takes nothing but its chunks.
Status Replay::CheckNoWriter(const RowFlags* rows, int64_t n) const {
  for (int64_t i = 0; i < n && writers_.num_owned() > 0; ++i) {
    if (!writers_.Owns(rows[i].stream)) continue;
    return InvalidArgumentError("stream " + std::to_string(rows[i].stream) +
                                " belongs to a writer of chunks; append to another");
  }
  return OkStatus();
}

// REQUIRES: memory for the writer is reserved.
void Replay::TakeChunk(const Chunk& chunk, int32_t stream) {
  if (writers_.Stream(chunk.writer) < 0) writers_.Open(chunk.writer, stream);
  writers_.Take(chunk);
}

StatusOr<int64_t> Replay::LastNumber(const std::string& writer) const {
  const Lock lock(mutex_);
  TFA_RETURN_IF_ERROR(CheckOpen());
  return writers_.LastNumber(writer);
}

StatusOr<std::vector<Chunk>> Replay::ListWriters() const {
  const Lock lock(mutex_);
  TFA_RETURN_IF_ERROR(CheckOpen());
  return writers_.List();
}

StatusOr<bool> Replay::CloseWriter(const Chunk& chunk) try {
  const Lock lock(mutex_);
  TFA_RETURN_IF_ERROR(CheckOpen());
  const StatusOr<bool> taken = writers_.IsTaken(chunk);
  if (!taken.ok()) return taken.status();
  if (*taken) return false;
  writers_.Reserve(chunk.writer);
  writers_.Take(chunk);
  const int32_t stream = writers_.Stream(chunk.writer);
  if (stream >= 0) {
    writers_.Close(chunk.writer);
    store_->CloseStream(stream);
    waiters_.Notify();
  }
  return true;
} catch (const std::bad_alloc&) {
  return NoMemory("close a writer");
}

}  // namespace tfa
