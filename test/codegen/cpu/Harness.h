// Compiles tile programs and runs their kernels without the runtime: parse, compileProgram, dlopen from a temporary
// file, then tasks over a grid on a few threads, with the floating-point modes that the runtime sets.
#pragma once
#include "codegen/cpu/CpuCodegen.h"
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace sattn::cpu::test {

/// The arguments of a kernel, flattened as docs/artefact.md, section 2 says.
class Frame {
public:
  /// Counts and strides (in elements) of batch, position, head.
  Frame &view(const void *data, std::array<int64_t, 3> counts, std::array<int64_t, 3> strides);
  Frame &index(int64_t value);
  Frame &number(float value);
  Frame &perBatch(const int64_t *values);
  std::vector<int64_t> slots;
};

/// A loaded program. Kernels of it may run on any thread.
class Program {
public:
  /// Compiles `text`; null and the diagnostics in `error` if that fails.
  static std::unique_ptr<Program> compile(const std::string &text, Isa isa, std::string &error,
                                          const CodegenOptions &options = {});
  ~Program();
  /// Runs all tasks of the grid, x fastest, on `threads` threads.
  void run(const std::string &kernel, const Frame &frame, int64_t x, int64_t y, int64_t z, int threads = 1);
  CompiledCode code;

private:
  void *handle = nullptr;
};

/// The best level that this machine runs, and whether it runs `isa`.
bool runs(Isa isa);
std::vector<Isa> levels(); ///< those of baseline, avx2, avx512 that this machine runs

/// A tensor [batch][position][head][inner] of numbers with the storage that an element type has.
struct Tensor {
  enum Type { F32, F16, BF16, I32, I8, U8 };
  Tensor(Type type, int64_t batch, int64_t positions, int64_t heads, int64_t inner);
  double get(int64_t b, int64_t p, int64_t h, int64_t i) const;
  void set(int64_t b, int64_t p, int64_t h, int64_t i, double value); ///< rounds to nearest even
  void fill(const std::function<double()> &next);
  void *data() { return bytes.data(); }
  std::array<int64_t, 3> counts() const { return {batch, positions, heads}; }
  std::array<int64_t, 3> strides() const { return {positions * heads * inner, heads * inner, inner}; }
  const char *typeName() const;
  Frame &in(Frame &frame) { return frame.view(data(), counts(), strides()); }

  Type type;
  int64_t batch, positions, heads, inner;

private:
  std::vector<uint32_t> bytes; ///< aligned storage
};

float halfToFloat(uint16_t bits);
uint16_t floatToHalf(float value);

} // namespace sattn::cpu::test
