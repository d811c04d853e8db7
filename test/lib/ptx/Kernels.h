// Kernels written by hand for the tests of faults: correct as they stand, each mutation of them is wrong.
#pragma once

#include "test/lib/ptx/Support.h"

namespace sattn::ptx::test {

/// Attention of 32 queries a block over `keys` keys in tiles of 16, head size 16, bf16: mma.sync, ldmatrix, cp.async
/// with two stages. Entry "attend"(q, k, v, o, keys, scale * log2(e)); 64 threads, 3072 bytes.
extern const std::string_view AttentionSm80;

/// C (64 x 32, f32) = A (64 x 64 n) B^T (32 x 64 n), bf16: a producer warp with TMA and mbarriers, two stages, one
/// warpgroup with wgmma. Entry "gemm"(map of a, map of b, c, n); 160 threads, 24608 bytes.
extern const std::string_view GemmSm90;

/// Runs the attention text on random data. `error` is the largest deviation from float64, infinite if an output is
/// missing or the text is refused.
struct Verdict {
  Report report;
  double error = 0;
  std::string refused = {};
  /// Twice the error of the correct attention (0.00075: probabilities are rounded to bf16) counts as wrong.
  bool caught() const { return !refused.empty() || !report.ok() || !(error < 0.0015); }
};
Verdict runAttention(std::string_view text, uint64_t seed);
/// The same of the matrix product, with n = 5.
Verdict runGemm(std::string_view text, uint64_t seed);

/// `text` with the `occurrence`-th (from 1) `from` replaced; fails the test if there is none.
std::string replaced(std::string_view text, std::string_view from, std::string_view to, unsigned occurrence = 1);

} // namespace sattn::ptx::test
