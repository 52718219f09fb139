#include "cc/saved_state.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace tfa {
namespace {

// Few files for many items, and a small part of the state of a million.
constexpr int64_t kBlockBytes = int64_t{2} << 20;
// A file, its flush and its line in the manifest cost more than writing so much.
constexpr int64_t kLeastFileBytes = 64 * 1024;
constexpr int64_t kWord = sizeof(uint64_t);
constexpr char kPrefix[] = "state";

// A run of changed words: where it begins and how many they are, in the low and high
// bits of one number, then the words. The last of a block may be cut short.
using RunHeader = uint32_t;
constexpr int kOffsetBits = 18;
constexpr int64_t kOffsets = int64_t{1} << kOffsetBits;
constexpr int64_t kMostWords = (int64_t{1} << (32 - kOffsetBits)) - 1;
constexpr auto kHeader = static_cast<int64_t>(sizeof(RunHeader));
static_assert(kBlockBytes <= kOffsets * kWord);

size_t Index(int64_t i) { return static_cast<size_t>(i); }

// REQUIRES: a word begins at `begin`, and `end` is where one ends, or the block.
void PutRun(const uint8_t* now, int64_t begin, int64_t end,
            std::vector<uint8_t>* changes) {
  for (int64_t next = begin; begin < end; begin = next) {
    next = std::min(end, begin + kMostWords * kWord);
    const int64_t words = (next - begin + kWord - 1) / kWord;
    const auto header =
        static_cast<RunHeader>(begin / kWord | words << kOffsetBits);
    const size_t at = changes->size();
    changes->resize(at + sizeof(header) + Index(next - begin));
    std::memcpy(changes->data() + at, &header, sizeof(header));
    std::memcpy(changes->data() + at + sizeof(header), now + begin,
                Index(next - begin));
  }
}

// A block of the state that is to be saved.
struct Block {
  int64_t section = 0;
  int64_t number = 0;
  const uint8_t* data = nullptr;
  int64_t bytes = 0;
  const StateFile* file = nullptr;  // what it is saved as changes to
  std::vector<uint8_t> changes;
};

std::vector<Block> Cut(const Writer& state) {
  std::vector<Block> blocks;
  std::vector<int64_t> ends = state.section_ends();
  ends.push_back(state.size());
  int64_t begin = 0;
  for (size_t s = 0; s < ends.size(); begin = ends[s++]) {
    for (int64_t at = begin; at < ends[s]; at += kBlockBytes) {
      Block& block = blocks.emplace_back();
      block.section = static_cast<int64_t>(s);
      block.number = (at - begin) / kBlockBytes;
      block.data = state.data() + at;
      block.bytes = std::min(kBlockBytes, ends[s] - at);
    }
  }
  return blocks;
}

Status ReadWhole(const std::string& directory, const FileSum& sum,
                 std::vector<uint8_t>* data) {
  FileReader file(directory, sum);
  TFA_RETURN_IF_ERROR(file.Open());
  data->resize(Index(sum.bytes));
  TFA_RETURN_IF_ERROR(file.Read(data->data(), sum.bytes));
  return file.Finish();
}

// Finds what of `before` each block may be saved as changes to.
void Compare(const std::string& base, const std::vector<StateFile>& before,
             std::vector<Block>* blocks) {
  std::vector<uint8_t> was;
  for (Block& block : *blocks) {
    if (base.empty() || block.bytes < kLeastFileBytes) continue;
    const auto found =
        std::find_if(before.begin(), before.end(), [&block](const StateFile& each) {
          return each.section == block.section && each.block == block.number;
        });
    // One that is gone or damaged is written anew.
    if (found == before.end() || !ReadWhole(base, found->file, &was).ok()) continue;
    PutChanges(was, block.data, block.bytes, &block.changes);
    block.file = &*found;
  }
}

// Chooses what is written anew all the same: see the header.
void Renew(std::vector<Block>* blocks) {
  std::vector<Block*> changed;
  int64_t budget = 0;
  for (Block& block : *blocks) {
    if (block.file == nullptr) continue;
    changed.push_back(&block);
    budget += static_cast<int64_t>(block.changes.size());
  }
  std::stable_sort(changed.begin(), changed.end(), [](const Block* a, const Block* b) {
    return a->changes.size() > b->changes.size();
  });
  for (Block* const block : changed) {
    const auto bytes = static_cast<int64_t>(block->changes.size());
    if (budget < block->bytes && bytes < block->bytes / 2) continue;
    budget -= block->bytes;
    block->file = nullptr;
  }
}

StatusOr<StateFile> WriteBlock(const std::string& directory, const Block& block) {
  FileWriter file(directory, UniqueName(kPrefix));
  TFA_RETURN_IF_ERROR(file.Open());
  TFA_RETURN_IF_ERROR(file.Append(block.data, block.bytes));
  StatusOr<FileSum> sum = file.Finish();
  if (!sum.ok()) return sum.status();
  return StateFile{block.section, block.number, *sum};
}

Status Contradiction(const std::string& directory) {
  return DataLossError("the checkpoint '" + directory +
                       "' contradicts itself about its state");
}

}  // namespace

void PutChanges(const std::vector<uint8_t>& base, const uint8_t* now, int64_t n,
                std::vector<uint8_t>* changes) {
  const int64_t common = std::min(static_cast<int64_t>(base.size()), n);
  const int64_t words = common / kWord * kWord;
  const auto same = [&base, now](int64_t at) {
    return std::memcmp(base.data() + at, now + at, kWord) == 0;
  };
  for (int64_t at = 0; at < words;) {
    if (same(at)) {
      at += kWord;
      continue;
    }
    int64_t end = at + kWord;
    while (end < words && !same(end)) end += kWord;
    PutRun(now, at, end, changes);
    at = end;
  }
  if (words < n) PutRun(now, words, n, changes);
}

bool ApplyChanges(const std::vector<uint8_t>& changes, uint8_t* block, int64_t n) {
  const auto size = static_cast<int64_t>(changes.size());
  for (int64_t at = 0; at < size;) {
    RunHeader header{};
    if (size - at < kHeader) return false;
    std::memcpy(&header, changes.data() + at, sizeof(header));
    at += kHeader;
    const int64_t begin = header % kOffsets * kWord;
    const int64_t bytes = std::min(header / kOffsets * kWord, n - begin);
    if (bytes < 1 || bytes > size - at) return false;
    std::memcpy(block + begin, changes.data() + at, Index(bytes));
    at += bytes;
  }
  return true;
}

StatusOr<std::vector<StateFile>> SaveState(const std::string& directory,
                                           const std::string& base,
                                           const std::vector<StateFile>& before,
                                           const Writer& state, Writer* out) {
  std::vector<Block> blocks = Cut(state);
  Compare(base, before, &blocks);
  Renew(&blocks);
  std::vector<StateFile> files;
  out->Put(state.size());
  out->Put(static_cast<int64_t>(blocks.size()));
  for (Block& block : blocks) {
    const bool is_file = block.bytes >= kLeastFileBytes;
    if (!is_file) {
      PutRun(block.data, 0, block.bytes, &block.changes);
    } else if (block.file != nullptr && LinkFile(base, directory, block.file->file)) {
      files.push_back(*block.file);
    } else {
      StatusOr<StateFile> written = WriteBlock(directory, block);
      if (!written.ok()) return written.status();
      files.push_back(*std::move(written));
      block.changes.clear();
    }
    out->Put(block.section);
    out->Put(block.number);
    out->Put(block.bytes);
    out->PutString(is_file ? files.back().file.name : "");
    out->PutArray(block.changes);
  }
  return files;
}

Status LoadState(const std::string& directory, const std::vector<FileSum>& sums,
                 Reader* in, std::vector<uint8_t>* state,
                 std::vector<StateFile>* files) {
  const auto total = in->Get<int64_t>();
  const auto num_blocks = in->Get<int64_t>();
  int64_t most = 0;
  for (const FileSum& each : sums) most += each.bytes;
  if (total < 0 || total > most) return Contradiction(directory);
  state->reserve(Index(total));
  std::vector<uint8_t> was;
  for (int64_t i = 0; i < num_blocks && in->ok(); ++i) {
    const auto section = in->Get<int64_t>();
    const auto number = in->Get<int64_t>();
    const auto bytes = in->Get<int64_t>();
    const std::string name = in->GetString();
    const auto changes = in->GetArray<uint8_t>();
    if (!in->ok() || bytes < 0 || bytes > kBlockBytes) return Contradiction(directory);
    was.clear();
    if (!name.empty()) {
      const StatusOr<FileSum> sum = FindFile(sums, name);
      if (!sum.ok()) return sum.status();
      TFA_RETURN_IF_ERROR(ReadWhole(directory, *sum, &was));
      files->push_back({section, number, *sum});
    }
    was.resize(Index(bytes));
    if (!ApplyChanges(changes, was.data(), bytes)) return Contradiction(directory);
    state->insert(state->end(), was.begin(), was.end());
  }
  if (in->ok() && static_cast<int64_t>(state->size()) == total) return OkStatus();
  return Contradiction(directory);
}

}  // namespace tfa
