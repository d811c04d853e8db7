// Helpers of the interpreter's tests: run a few instructions with given registers, launch a whole kernel, and say what
// went wrong in a failed check.
#pragma once

#include "lib/ptx/Ptx.h"

#include <bit>
#include <functional>

namespace sattn::ptx::test {

/// Registers before and after a snippet; the same value in all lanes or one for each.
struct Lanes {
  std::array<uint64_t, 32> values;
  Lanes(uint64_t value = 0) { values.fill(value); }
  Lanes(const std::function<uint64_t(unsigned)> &f) {
    for (unsigned i = 0; i < 32; ++i)
      values[i] = f(i);
  }
};

/// Runs `body` in one warp. It may read %a, %b, %c (.b32; the low words of the arguments) and %xa, %xb, %xc (.b64; the
/// whole arguments), and writes %d (.b32) or %xd (.b64), which begin as 0. %p, %q, %t (.pred), %h0 to %h9 (.b16),
/// %r0 to %r9 (.b32) and %l0 to %l9 (.b64) are free to use; %lane is the lane. Fails the test on an error or a fault.
struct Outcome {
  std::array<uint32_t, 32> d;
  std::array<uint64_t, 32> xd;
};
Outcome evaluate(std::string_view body, const Lanes &a = 0, const Lanes &b = 0, const Lanes &c = 0);

/// The low word of lane 0.
uint32_t word(std::string_view body, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0);
uint64_t wide(std::string_view body, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0);
/// With f32 registers.
float single(std::string_view body, float a = 0, float b = 0, float c = 0);
double real(std::string_view body, double a = 0, double b = 0, double c = 0);

/// The report of a body that has faults, run by `threads` threads with `shared` bytes of the array %smem.
Report faultsOf(std::string_view body, uint32_t threads = 32, std::string_view declarations = "", uint64_t seed = 1);
/// True if the report holds a fault of the kind whose message contains `text`.
bool has(const Report &report, FaultKind kind, std::string_view text = "");

/// The message of the error of decoding this body, or "".
std::string rejection(std::string_view body, std::string_view declarations = "");

/// Launches an entry of a text and returns the report; fails the test on an Error.
Report launchText(std::string_view text, std::string_view entry, Device &device, const Launch &launch,
                  const Options &options = {});

template <typename T> std::span<std::byte> bytesOf(std::vector<T> &v) { return std::as_writable_bytes(std::span(v)); }

/// PTX that nvcc makes of CUDA C++, or nothing if there is no nvcc here. `why` then says so.
std::optional<std::string> compileCuda(std::string_view source, std::string_view arch, std::string &why);

} // namespace sattn::ptx::test
