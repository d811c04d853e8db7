// Integer sets over (t, s) as conditions on many rows at once. A position is a scalar (i64, exact for any position)
// plus a small int32 part that differs from row to row and whose range is known; floordiv and mod by constants keep
// that shape. A constraint is then one int32 comparison with the scalar, held within the part's range. The part is a
// vector of rows on the CPU and a number of the thread's own on the GPU.
#pragma once
#include "codegen/common/ScalarCode.h"

namespace mlir {
class IntegerSet;
} // namespace mlir

namespace sattn::codegen {

/// scalar + lanes, each lane within [low, high]; no lanes means 0. Of a position that stands for several columns the
/// lanes are those of the first one, `step` more for each column further, and the range is that of all.
struct Position {
  Value scalar, lanes;
  int64_t low = 0, high = 0, step = 0;
};

/// Lanes are int32; sums below this bound cannot overflow.
inline constexpr int64_t kMostLane = int64_t(1) << 30;

/// How a target writes the int32 part: i32 or a vector of it.
struct LaneType {
  Type type;
  llvm::function_ref<Value(Value)> spread; ///< an i32 to all lanes
};

/// i1 for each lane: positions `t` (rows) and `s` (keys) lie in one of `sets`; null where every lane does; failure
/// where a lane part does not fit int32 or a divisor is not a positive constant. Further dims of the sets are `tables`,
/// any int32 numbers of the lanes.
FailureOr<Value> inUnion(ScalarCode &c, const LaneType &lane, mlir::ArrayAttr sets, const Position &t,
                         const Position &s, ArrayRef<Value> symbols, ArrayRef<Value> tables = {});

/// The same for the keys s + offset of each of `offsets`, which the range of `s` covers. What does not differ is
/// computed once: a constraint without divisions costs a comparison with a constant for each. A table has one number
/// for all of `offsets` or one for each.
FailureOr<Values> inUnion(ScalarCode &c, const LaneType &lane, mlir::ArrayAttr sets, const Position &t,
                          const Position &s, ArrayRef<Value> symbols, ArrayRef<int64_t> offsets,
                          ArrayRef<Values> tables = {});

/// The same for scalar lanes as bits of one i32, which many sets need no more registers for than one: each constraint
/// leaves the keys from one on or up to one. `below(x)` has the bits of the offsets that are less than x (i32). Null
/// where a constraint is of another kind.
Value bitsInUnion(ScalarCode &c, const LaneType &lane, mlir::ArrayAttr sets, const Position &t, const Position &s,
                  ArrayRef<Value> symbols, llvm::function_ref<Value(Value)> below, ArrayRef<Values> tables = {});

} // namespace sattn::codegen
