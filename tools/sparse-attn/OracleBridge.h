// Between the tool, which throws, and the sources that include MLIR, which are built without exceptions: plain types
// and results that say whether they hold. Oracle.h has the functions that the verbs call.
#pragma once
#include "tools/sparse-attn/Oracle.h"

namespace sattn::tool {

struct OracleOperand {
  std::string name;
  Shape shape;
  std::vector<double> values;
};

struct OracleRequest {
  std::string path, text;
  std::vector<OracleOperand> operands;
  std::vector<std::pair<std::string, double>> params;
  std::vector<int64_t> qOffset, kvOffset, kvLen; ///< one number for each batch entry; empty for the defaults
  std::vector<int64_t> rows;
  double massShift = 0; ///< ref::Call::massShift
};

/// False with `error` set where the pattern or the call is refused.
bool interpretPattern(const OracleRequest &request, std::vector<OracleResult> &results, std::string &error);

/// What the count of work needs to know of a call.
struct WorkRequest {
  std::string path, text;
  std::vector<std::pair<std::string, int64_t>> sizes; ///< of axes as the author wrote them ("c(l)") and of B
  std::vector<std::pair<std::string, double>> params;
  std::vector<int64_t> qOffset, kvOffset, kvLen; ///< empty, one number, or one for each batch entry
};
/// Adds to `work` what the request asks for, but its bytes. False with `error` set where the pattern is refused.
bool countWork(const WorkRequest &request, UsefulWork &work, std::string &error);

} // namespace sattn::tool
