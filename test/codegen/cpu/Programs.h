// Tile programs as text, made for the extents and element types of a test.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sattn::cpu::test {

/// Causal attention with a window over prepared K and V: kernels pack_k, pack_v and attend.
struct AttendSpec {
  int64_t d = 64, dv = 64, rows = 64, keys = 64, group = 1;
  std::string type = "f32";
  int64_t width = 4; ///< of the panels of K and V
  bool causal = true;
  std::string sets = "affine_set<(t, s)[w, n] : (t - s >= 0, w - 1 - t + s >= 0, n - 1 - s >= 0)>";
};
std::string attendProgram(const AttendSpec &spec);

/// Attention of selected blocks of 64 keys: kernels pack_k, pack_v, and selected, whose tasks turn the lists of `chunk`
/// neighbouring queries around and serve 64 / group members at a time.
struct SelectedSpec {
  int64_t d = 64, group = 4, count = 8, chunk = 64;
  int64_t width = 4;
};
std::string selectedProgram(const SelectedSpec &spec);

/// A program of one kernel @k. In `args` and `body` `A<`, `V<` and `T<` stand for the operand, view and tile types and
/// `@` before an op name for the dialect; `$name$` is replaced by its value.
std::string oneKernel(const std::string &args, const std::string &body,
                      const std::vector<std::pair<std::string, std::string>> &names = {});

} // namespace sattn::cpu::test
