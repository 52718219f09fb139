// What the machine itself can do, and what a plain data structure does with it:
// the figures beside which benchmarks/replay.py puts its own. Compiled on demand by
// benchmarks/floors.py into a shared library; no part of the replay.

#include <cstdint>
#include <cstring>

extern "C" {

// Copies pieces of `piece_bytes` from random places to consecutive ones.
void CopyPieces(const char* source, int64_t piece_bytes, const int64_t* offsets,
                int64_t n, char* out) {
  for (int64_t i = 0; i < n; ++i) {
    std::memcpy(out + i * piece_bytes, source + offsets[i],
                static_cast<size_t>(piece_bytes));
  }
}

// Reads n 64-byte lines, each of which says where the next one is. `next` holds 8
// numbers a line, of which the first is the next line's.
int64_t Chase(const int64_t* next, int64_t line, int64_t n) {
  for (int64_t i = 0; i < n; ++i) line = next[8 * line];
  return line;
}

// A binary tree of sums as most replays have it: node 1 is the root, node k has the
// children 2k and 2k + 1, and the leaves are nodes num_leaves, a power of two, and
// on. Draws the leaf of each target in [0, tree[1]), one after the other.
void PlainTreeDraw(const double* tree, int64_t num_leaves, const double* targets,
                   int64_t n, int64_t* leaves, double* probabilities) {
  for (int64_t i = 0; i < n; ++i) {
    double target = targets[i];
    int64_t node = 1;
    while (node < num_leaves) {
      node *= 2;
      if (target >= tree[node]) target -= tree[node++];
    }
    leaves[i] = node - num_leaves;
    probabilities[i] = tree[node] / tree[1];
  }
}

// Sets the weights of n leaves.
void PlainTreeUpdate(double* tree, int64_t num_leaves, const int64_t* leaves,
                     const double* weights, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    int64_t node = leaves[i] + num_leaves;
    tree[node] = weights[i];
    for (node /= 2; node >= 1; node /= 2) {
      tree[node] = tree[2 * node] + tree[2 * node + 1];
    }
  }
}

}  // extern "C"
