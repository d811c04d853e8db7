// The float64 reference behind plain types: this header knows no MLIR.
#pragma once
#include "tools/sparse-attn/Invocation.h"

namespace sattn::tool {

struct OracleResult {
  std::string name;
  Shape shape; ///< batch first where the result has one; the row axis holds the sampled rows
  std::vector<double> values;
  double greatestScore = 0; ///< ref::Call::greatestScore, of the call
};

/// Interprets the pattern on the operands of `call`, at its sampled rows where there are any. Errors are thrown with
/// their place. `massShift` is added to what selections take up to a mass.
std::vector<OracleResult> runOracle(const Invocation &call, double massShift = 0);

/// The work that the pattern asks of any implementation on the sizes of `call`.
struct UsefulWork {
  double flops = 0;       ///< two for each multiply-add of scores and weighted values over visible or selected keys
  double pairs = 0;       ///< visible or selected (row, key) pairs over all heads
  double keysPerHead = 0; ///< the same for one query head and batch entry
  double bytes = 0;       ///< operands and results, each element that is needed once
  bool sampled = false;   ///< rows were sampled: long sequences under sets with divisions
  bool atMost = false;    ///< an upper bound: a table or a threshold decides at run time
};
UsefulWork usefulWork(const Invocation &call);

} // namespace sattn::tool
