#include "cc/chunk_writers.h"

namespace tfa {

int64_t ChunkWriters::LastNumber(const std::string& writer) const {
  const auto found = writers_.find(writer);
  return found == writers_.end() ? -1 : found->second.last_number;
}

int32_t ChunkWriters::Stream(const std::string& writer) const {
  const auto found = writers_.find(writer);
  return found == writers_.end() ? -1 : found->second.stream;
}

StatusOr<bool> ChunkWriters::IsTaken(const Chunk& chunk) const {
  const int64_t last = LastNumber(chunk.writer);
  if (chunk.number < 0 || chunk.number > last + 1) {
    return InvalidArgumentError("chunk " + std::to_string(chunk.number) +
                                " of writer '" + chunk.writer +
                                "' is not the next one; send " +
                                std::to_string(last + 1) + " first");
  }
  return chunk.number <= last;
}

void ChunkWriters::Open(const std::string& writer, int32_t stream) {
  writers_[writer].stream = stream;
  owned_[Index(stream)] = true;
  ++num_owned_;
}

void ChunkWriters::Take(const Chunk& chunk) {
  writers_[chunk.writer].last_number = chunk.number;
}

void ChunkWriters::Close(const std::string& writer) {
  State& state = writers_[writer];
  owned_[Index(state.stream)] = false;
  --num_owned_;
  state.stream = -1;
}

void ChunkWriters::CloseAll() {
  for (auto& [name, state] : writers_) state.stream = -1;
  owned_.assign(owned_.size(), false);
  num_owned_ = 0;
}

std::vector<Chunk> ChunkWriters::List() const {
  std::vector<Chunk> list;
  list.reserve(writers_.size());
  for (const auto& [name, state] : writers_) {
    if (state.last_number >= 0) list.push_back({name, state.last_number});
  }
  return list;
}

void ChunkWriters::Save(Writer* out) const {
  out->Put(static_cast<int64_t>(writers_.size()));
  for (const auto& [name, state] : writers_) {
    out->PutString(name);
    out->Put(state.stream);
    out->Put(state.last_number);
  }
}

bool ChunkWriters::Load(Reader* in, int64_t num_streams, ChunkWriters* writers) {
  *writers = ChunkWriters(num_streams);
  for (auto n = in->Get<int64_t>(); n > 0 && in->ok(); --n) {
    const std::string name = in->GetString();
    const auto stream = in->Get<int32_t>();
    const auto last_number = in->Get<int64_t>();
    const bool known = stream >= 0 && stream < num_streams;
    if (!in->ok() || last_number < -1 || (stream != -1 && !known)) return false;
    if (known && writers->Owns(stream)) return false;
    if (known) writers->Open(name, stream);
    writers->writers_[name].last_number = last_number;
  }
  return in->ok();
}

}  // namespace tfa
