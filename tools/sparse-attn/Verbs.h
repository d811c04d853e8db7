// The verbs of sparse-attn. Each takes its options as Main.cpp reads them, prints its report (text for people, or one
// JSON object) and returns the exit status; errors of the user are thrown as ToolError.
#pragma once
#include "tools/sparse-attn/Invocation.h"

#include <string>
#include <vector>

namespace sattn::tool {

struct RunOptions : CallOptions {
  std::vector<std::string> outs; ///< NAME=FILE.npy
  bool oracle = false;
  bool json = false;
};
int run(const RunOptions &options);

/// Without `args`, operands are generated for `shape`.
struct CompareOptions : CallOptions {
  std::string shape, dtype = "f32";
  uint64_t seed = 1;
  uint64_t strides = 0; ///< verify: seed of the strides of operands and results; 0 for compact arrays
  int repeat = 0;       ///< bench: timed runs; 0 chooses by their length
  std::string against;  ///< bench: a second pattern, timed in turn with the first
  bool sweep = false;   ///< bench: every dataflow of many patterns and shapes; `pattern` is a list then
  bool json = false;
};
int verify(const CompareOptions &options);
int bench(const CompareOptions &options);
int sweep(const CompareOptions &options);
int explain(const CompareOptions &options);

struct CacheOptions {
  int64_t maxBytes = 0; ///< gc: 0 for the context's bound
  bool json = false;
};
int cacheList(const CacheOptions &options);
int cacheVerify(const CacheOptions &options);
int cacheGc(const CacheOptions &options);
int cacheClear(const CacheOptions &options);

/// Operands are generated as for `verify`.
struct PackOptions : CompareOptions {
  std::string folder, name;
  std::vector<std::string> targets;
  bool timing = false; ///< sizes alone: no operands, no results
};
int pack(const PackOptions &options);

struct PtxRunOptions {
  std::string file, kernel, grid = "1", block = "1";
  std::vector<std::string> params; ///< in order: KIND=VALUE
  uint32_t shared = 0;             ///< bytes of dynamic shared memory
  uint64_t seed = 0;
  bool json = false;
};
int ptxRun(const PtxRunOptions &options);

int doctor(bool json);

/// Writes NAME.mlir, a pattern to start from.
int newPattern(const std::string &name);

} // namespace sattn::tool
