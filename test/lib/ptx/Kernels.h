// Kernels written by hand for the tests of faults: correct as they stand, each mutation of them is wrong.
#pragma once

#include "test/lib/ptx/Support.h"

namespace sattn::ptx::test {

/// Attention of 32 queries a block over `keys` keys in tiles of 16, head size 16, bf16: mma.sync, ldmatrix, cp.async
/// with two stages. Entry "attend"(q, k, v, o, keys, scale * log2(e)); 64 threads, 3072 bytes.
extern const std::string_view AttentionSm80;

/// Runs the attention text on random data. `error` is the largest deviation from float64, infinite if an output is
/// missing or the text is refused.
/// Twice the error of the correct kernel (0.00075: probabilities rounded to bf16) counts as wrong.
struct Verdict {
  Report report;
  double error = 0;
  std::string refused;
  bool caught() const { return !refused.empty() || !report.ok() || !(error < 0.0015); }
};
Verdict runAttention(std::string_view text, uint64_t seed);

/// `text` with the `occurrence`-th (from 1) `from` replaced; fails the test if there is none.
std::string replaced(std::string_view text, std::string_view from, std::string_view to, unsigned occurrence = 1);

} // namespace sattn::ptx::test
