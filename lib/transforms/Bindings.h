// What a pattern is specialised for: element types, feature sizes, head groups and static params.
//
// parseBindings reads the text of the `bind` option (docs/artefact.md, section 4); sattn-specialize checks it against
// a pattern and stores it as the pattern's `bind` dictionary, which later passes read through BoundPattern.
#pragma once
#include "dialects/pattern/Pattern.h"
#include "llvm/ADT/StringMap.h"
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sattn {

/// `name=value` pairs of a bind text, in the order of the text, spaces trimmed.
using BindingList = std::vector<std::pair<std::string, std::string>>;

/// Splits "dtype=f32,D=64". Fails with `error` set where an entry has no '=', a name or value is empty, or a name
/// occurs twice.
FailureOr<BindingList> parseBindings(StringRef text, std::string &error);
/// The same for a pass over `pattern`: what is malformed is an error there.
FailureOr<BindingList> bindingsFor(PatternOp pattern, StringRef text);
/// The bindings whose values are integers: static params, sizes, groups.
llvm::StringMap<int64_t> integersOf(const BindingList &bindings);

/// Whether `keep=summaries` keeps what `op` makes: summaries of blocks of keys, or codes of keys that are compared.
bool isKept(mlir::Operation *op);

/// float32, float16 or bfloat16 by the words f32, f16, bf16; null for any other word.
mlir::FloatType parseDtype(MLIRContext *context, StringRef word);
/// f32, f16, bf16, i32, or of kept codes i8 or u8.
StringRef dtypeName(Type type);

/// The largest feature extent, group and static param that is accepted; larger ones are mistakes.
inline constexpr int64_t maxFeatures = 4096;
inline constexpr int64_t maxGroup = 4096;
/// The largest page of a paged role, in positions.
inline constexpr int64_t maxPage = int64_t(1) << 20;

/// Reads the `bind` dictionary of a specialised pattern.
class BoundPattern {
public:
  explicit BoundPattern(PatternOp pattern) : pattern(pattern), bind(pattern.getBindAttr()) {}

  bool isSpecialized() const { return bind != nullptr; }
  PatternOp op() const { return pattern; }

  /// Element type of a role: i32 for int roles.
  Type dtype(RoleAttr role) const;
  RoleAttr role(Value tensor) const;
  /// Positions of a page where the role is a pool of pages: a role of floats over s that has features, in a pattern
  /// bound with `paged`.
  std::optional<int64_t> page(RoleAttr role) const;
  /// Bytes of an element of a role, or of what is computed from one.
  int64_t elementBytes(Value tensor) const;
  /// Size of a feature axis or fixed count; 1 for a null axis.
  int64_t size(AxisAttr axis) const;
  /// Query heads for each head of `axis`: 1 for h, `group` for g, `group.X` for others, nullopt where the axis is null
  /// or the fixed count 1 (one head serves all).
  std::optional<int64_t> headRatio(AxisAttr axis) const;

  /// Whether summaries of keys are tensors of the caller, which calls extend (`keep=summaries`).
  bool keepsSummaries() const { return bind && bind.contains("keep"); }
  /// How all calls must walk their keys; empty: as the cost model says.
  StringRef dataflow() const;
  /// Whether pages may hold a role.
  static bool mayBePaged(RoleAttr role);

private:
  std::optional<int64_t> integer(StringRef name) const;
  mutable PatternOp pattern; // op accessors are not const
  mlir::DictionaryAttr bind;
};

} // namespace sattn
