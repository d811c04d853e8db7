// The manifest of a kernel as structs (docs/artefact.md, section 3): what the JSON says, checked once when an artefact
// is loaded, so that calls need neither parsing nor look-ups by name. Bundles and the JIT share it. The launch
// (Launch.h) interprets `steps`; the C ABI shows roles, results and params.
#pragma once

#include "runtime/Expr.h"
#include "runtime/Key.h"

#include <array>
#include <string>
#include <vector>

namespace sattn::rt {

enum class Dtype : uint8_t { F32, F16, BF16, I32, I8, U8 };
const char *dtypeName(Dtype dtype); ///< "f32", "f16", "bf16", "i32", "i8", "u8"
int dtypeBytes(Dtype dtype);

/// The kind of an axis follows from the first letter of its name; numbers are features.
enum class AxisKind : uint8_t { Position, Head, Feature };

struct Axis {
  std::string name; ///< "t", "c(32, 16)", "h", "D", "3"
  AxisKind kind;
  int symbol;   ///< place of its size in the values of a call; -1 for numbers
  int64_t size; ///< static size of a feature axis; -1 where the call decides
};

/// A role or a result. Its tensor has a leading batch dimension if `batched`, then `axes` in order.
struct Operand {
  std::string name;
  std::vector<Axis> axes;
  Dtype dtype;
  bool batched;      ///< has a position axis
  int position = -1; ///< index into `axes`; -1: none
  int head = -1;     ///< index into `axes`; -1: none
  int64_t inner = 1; ///< product of the feature sizes
  int64_t page = 0;  ///< a pool of pages: positions of one. Its leading dimension counts pages, not batch entries
  bool kept = false; ///< a role that calls write, too

  int rank() const { return static_cast<int>(axes.size()) + batched; }
  std::string axisList() const; ///< "B, t, h, D", or "pages, s, g, D"
};

struct Param {
  std::string name;
  bool isFloat;
  bool hasDefault;
  int64_t intDefault = 0;
  double floatDefault = 0;
  int symbol; ///< of "$name" for integers, -1 for floats
};

struct Requirement {
  Expr check;
  std::string message;
};

struct Derived {
  std::string name;
  int symbol;
  Expr value;
};

struct Workspace {
  std::string name;
  Expr bytes;
  int first, last; ///< top-level steps, inclusive
};

enum class PerBatch : uint8_t { QOffset, KvOffset, KvLen };
inline constexpr int perBatchCount = 3;
const char *perBatchName(PerBatch which);

/// One argument of a kernel; `slots()` 8-byte numbers of the frame.
struct KernelArg {
  enum class Kind : uint8_t { Role, Result, Pages, Workspace, Index, FloatParam, FloatConstant, PerBatch };
  Kind kind;
  int index = 0;                       ///< of the role, result, workspace or param; the PerBatch
  float constant = 0;                  ///< FloatConstant
  Expr value;                          ///< Index
  std::array<Expr, 3> counts, strides; ///< Workspace: batch, position, head

  int slots() const { return kind <= Kind::Workspace ? 7 : 1; }
};

/// A view of which a GPU kernel copies boxes; docs/artefact.md, section 2.
struct TensorMapInfo {
  int64_t arg, bytes, inner; ///< argument, bytes of an element, features
  int64_t box[2];            ///< features, positions
};

struct KernelInfo {
  std::string name;
  std::string symbol;
  int64_t scratch = 0;             ///< CPU: bytes for each thread, a multiple of 64
  int64_t threads = 0, shared = 0; ///< GPU: threads and bytes of shared memory of a block
  std::vector<int64_t> align{};    ///< GPU: bytes that address and strides of each argument divide by; 0: the element's
  std::vector<TensorMapInfo> maps{}; ///< GPU: in the order of the entry's last parameters
};

/// One grid axis of a launch order: 0 x, 1 y, 2 z; reversed runs from the end.
struct OrderedAxis {
  uint8_t axis;
  bool reversed;
};

struct Step {
  enum class Kind : uint8_t { Kernel, Loop, If };
  Kind kind;
  std::string where; ///< "steps[2]", for messages
  int kernel = 0;    ///< Kernel
  std::array<Expr, 3> grid;
  std::array<OrderedAxis, 3> order = {{{2, false}, {1, false}, {0, false}}};
  std::vector<KernelArg> args;
  int frameSlots = 0;
  int variable = -1; ///< Loop: symbol of the variable
  Expr condition;    ///< Loop: the count; If: the condition
  std::vector<Step> body;
};

struct Manifest {
  // The symbols that every manifest has, in this order.
  static constexpr int batchSymbol = 0, qOffsetMaxSymbol = 1, kvLenMaxSymbol = 2, qOffsetGcdSymbol = 3,
                       kvOffsetGcdSymbol = 4, headsInsideSymbol = 5;

  std::string name, build;
  Request request;
  SymbolTable symbols;
  std::vector<Operand> roles, results;
  std::vector<Param> params;
  std::vector<Requirement> requirements;
  std::vector<Derived> derived; ///< in order of evaluation
  std::vector<Workspace> workspaces;
  std::vector<KernelInfo> kernels;
  std::vector<Step> steps;
  std::string explain;                            ///< the free-form facts as indented JSON; "" if there are none
  std::array<bool, perBatchCount> usesPerBatch{}; ///< by PerBatch: a kernel takes it
  int code = -1;                                  ///< section of the code; -1: the first code section
  int queryAxis = -1;                             ///< symbol of axis 't', or -1
  int keyAxis = -1;                               ///< symbol of axis 's', or -1
  int64_t page = 0;                               ///< positions of a page of its paged roles, 0: it has none
  std::string text;                               ///< the JSON it was read from
};

/// Reads one manifest or a bundle's list of manifests. `text` is untrusted: every malformed or unknown field gives a
/// status that names it. On failure `out` is unspecified.
Status parseManifests(const std::string &text, std::vector<Manifest> &out);

/// The strings that name a kernel, without the rest: for listing caches.
struct ManifestHead {
  std::string name, build;
  Request request;
};
Status parseManifestHead(const std::string &text, ManifestHead &out);

} // namespace sattn::rt
