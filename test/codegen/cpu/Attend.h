// One call of the attention program of Programs.h: operands, the call, and the float64 answer.
#pragma once
#include "test/codegen/cpu/Harness.h"
#include "test/codegen/cpu/Programs.h"

namespace sattn::cpu::test {

struct AttendCall {
  /// Normal q, k, v for `tq` queries and `s` keys, `heads` query heads.
  AttendCall(const AttendSpec &spec, int64_t batch, int64_t tq, int64_t s, int64_t heads);
  void pack(Program &program, int threads);
  void attend(Program &program, int threads);
  void run(Program &program, int threads) {
    pack(program, threads);
    attend(program, threads);
  }
  /// Whether query position t sees key s; the default is the causal window.
  std::function<bool(int64_t, int64_t)> visible; ///< of query head `visibleHead`
  mutable int64_t visibleHead = 0;
  /// Largest difference of o and lse from the reference, over max(1, |reference|), on every `stride`-th row.
  double error(int64_t stride = 1) const;
  double pairs() const; ///< visible (query, key) pairs of one head of one batch entry

  /// Counts and strides of a prepared operand of `inner` features.
  Frame &packed(Frame &frame, std::vector<float> &memory, int64_t inner) const;

  AttendSpec spec;
  Tensor q, k, v, o, lse;
  std::vector<float> packedK, packedV;
  std::vector<int64_t> qOffset, kvLength;
  int64_t window = int64_t(1) << 40;
  float scale;
};

/// A call of the program of selected blocks; every query selects its own block and random earlier ones.
struct SelectedCall {
  SelectedCall(const SelectedSpec &spec, int64_t length, int64_t heads);
  void run(Program &program, int threads);
  double pairs() const; ///< visible (query, key) pairs of one query head

  SelectedSpec spec;
  AttendCall base; ///< operands and the reference
  Tensor lists;
};

} // namespace sattn::cpu::test
