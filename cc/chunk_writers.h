// Who appends chunks: each writer has a stream of its own, and numbers what it sends.
#ifndef TFAGENTS_CORE_CC_CHUNK_WRITERS_H_
#define TFAGENTS_CORE_CC_CHUNK_WRITERS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cc/serial.h"
#include "cc/status.h"

namespace tfa {

// A chunk as its writer names it. Each number of a writer is taken once, in order.
struct Chunk {
  std::string writer;
  int64_t number = 0;
};

// The writers of a replay by name: which stream each has, and the last number taken.
//
// A writer that has closed gives up its stream and keeps its number, so that what it
// sends again later is known. Every call but List, Save and Load is O(log writers). Not
// thread-safe.
class ChunkWriters {
 public:
  explicit ChunkWriters(int64_t num_streams) : owned_(Index(num_streams)) {}

  // Of a writer that never wrote, -1.
  int64_t LastNumber(const std::string& writer) const;
  // The writer's stream; -1 when it has none.
  int32_t Stream(const std::string& writer) const;
  bool Owns(int32_t stream) const { return owned_[Index(stream)]; }
  int64_t num_owned() const { return num_owned_; }  // streams
  // Whether the chunk has been taken. kInvalidArgument when an earlier one is missing.
  StatusOr<bool> IsTaken(const Chunk& chunk) const;

  // Makes the calls below for the writer allocate nothing; else it changes nothing.
  void Reserve(const std::string& writer) { writers_[writer]; }
  // Gives the writer a stream, which has no other. REQUIRES: it has none.
  void Open(const std::string& writer, int32_t stream);
  // REQUIRES: IsTaken is false.
  void Take(const Chunk& chunk);
  // Takes the writer's stream away. REQUIRES: it has one.
  void Close(const std::string& writer);
  void CloseAll();

  // Names and last numbers, by name.
  std::vector<Chunk> List() const;

  void Save(Writer* out) const;
  // False when what was saved contradicts itself or `num_streams`.
  static bool Load(Reader* in, int64_t num_streams, ChunkWriters* writers);

 private:
  struct State {
    int32_t stream = -1;
    int64_t last_number = -1;
  };

  static size_t Index(int64_t i) { return static_cast<size_t>(i); }

  std::map<std::string, State> writers_;
  std::vector<bool> owned_;  // by stream
  int64_t num_owned_ = 0;
};

}  // namespace tfa

#endif  // TFAGENTS_CORE_CC_CHUNK_WRITERS_H_
