// One call of a pattern as the command line states it: operands from files or generated, params, offsets. It checks
// what belongs together, knows the sizes of all axes, and turns into a bind text and a call of the runtime or the
// oracle.
#pragma once
#include "tools/sparse-attn/PatternFile.h"
#include "tools/sparse-attn/Tensor.h"

#include <map>
#include <string>
#include <vector>

namespace sattn::tool {

/// Words of the options that `run`, `verify`, `bench` and `explain` share; "" and empty where not given.
struct CallOptions {
  std::string pattern;
  std::vector<std::string> args;                   ///< NAME[:TYPE]=FILE.npy
  std::vector<std::string> params;                 ///< NAME=VALUE
  std::string qOffset, kvOffset, kvLen, cuQ, cuKv; ///< N or FILE.npy
  std::string pageTable;
  int64_t pageSize = 0;
  std::string target;
  int threads = 0;
  uint64_t warpOrder = 0;
  std::string rows;   ///< N[,seed]
  std::string packed; ///< ROWS[:KEYS],... of generated operands
  bool keepSummaries = false;
  std::string dataflow; ///< of all calls; empty: as the compiler chooses
};

struct Operand {
  std::string name;
  Tensor tensor;
  std::string source; ///< file, or "generated"
  Tensor pool = {};   ///< what a kernel gets where the call has pages (Pages.h)
};

struct ParamValue {
  std::string name;
  bool isFloat;
  int64_t integer;
  double number;
};

struct Invocation {
  PatternFile file;
  PatternInfo info;
  std::vector<Operand> operands;                            ///< in the order of the roles
  std::vector<ParamValue> params;                           ///< dynamic ones that are given
  std::map<std::string, int64_t> statics;                   ///< static ones that are given
  std::map<std::string, int64_t> sizes;                     ///< of every axis that a role has, and of B
  std::vector<int64_t> qOffset, kvOffset, kvLen, cuQ, cuKv; ///< one number, or one for each batch entry
  std::vector<int64_t> rows;                                ///< sampled query rows, ascending; empty for all
  Tensor pageTable;                                         ///< of calls with pages
  int64_t pageSize = 0;                                     ///< 0: keys in one piece
  bool keepSummaries = false;
  std::string dataflow;

  const Operand *operand(const std::string &name) const;
  int64_t size(const std::string &axis, int64_t otherwise = 1) const;
  /// What names the kernel: dtypes, feature sizes, groups, static params.
  std::string bind() const;
  /// The element type of the first float operand: that of the results that follow the input.
  Dtype inputDtype() const;
  Dtype resultDtype(const ResultInfo &result) const;
  /// The tensor dimensions of a result, batch first where it has one; all rows.
  Shape resultShape(const ResultInfo &result) const;
  /// The place of the query rows among these dimensions, or -1.
  int rowDimension(const ResultInfo &result) const;
  /// Where the sequences begin along a position axis, if they are packed along it; else null.
  const std::vector<int64_t> *cumulative(const std::string &axis) const;
  /// Whether a tensor of these axes has its sequences one behind the other, and no batch dimension.
  bool isPacked(const std::vector<std::string> &axes) const;
  /// The offsets for every batch entry, defaults filled in.
  std::vector<int64_t> perBatch(const std::vector<int64_t> &given, int64_t otherwise) const;
};

/// Finds and describes the pattern, takes the params; no operands yet.
Invocation openPattern(const CallOptions &options);
/// Reads the operands of `--arg`, the offsets and the rows, and checks all against the roles and each other.
void readOperands(Invocation &call, const CallOptions &options);

/// Sizes by name for generated operands ("B=1,T=4096,Hq=16,Hkv=4,D=64"): T and S, Hq and Hkv stand for t, s, h, g;
/// other axes of the pattern by their own names. Defaults: B=1, T=S=512 (Tq=T), Hq=4, Hkv=Hq, D=64, Dv=D, g2=Hkv,
/// every other D... = D.
struct ShapeOptions {
  std::string shape;
  Dtype dtype = Dtype::F32;
  uint64_t seed = 1;
  /// Multiples of 1/8 within [-2, 2] in place of normal numbers: sums of their products are exact, so that selections
  /// have ties and no near-ties.
  bool exact = false;
  bool fill = true; ///< false: memory only, for calls that are never run
};
/// Makes the operands, then takes offsets and rows as readOperands does; by default queries stand at the end of the
/// keys.
void generateOperands(Invocation &call, const ShapeOptions &options, const CallOptions &callOptions);

/// Leaves of the words for one pattern those that mean something to `options.pattern` too: params, operands, sizes.
void keepWordsOf(CallOptions &options, std::string &shape);

/// f32, f16 or bf16 of --dtype.
Dtype parseOperandDtype(const std::string &name);

} // namespace sattn::tool
