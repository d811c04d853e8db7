// The interpreter's public face: parse PTX text, decode an entry, register memory, launch, read the report.
//
//   auto module = ptx::Module::parse(text);               // Result: a value or an Error with line and text
//   auto kernel = module->entry("fa");
//   ptx::Device device;
//   uint64_t q = device.add("q", std::as_writable_bytes(std::span(hostQ)), ptx::Contents::Defined);
//   ptx::Launch launch{.grid = {4, 2}, .block = {256}, .sharedBytes = 49152};
//   launch.arguments.pointer(q).value(int32_t(256)).value(0.125f);
//   auto report = ptx::run(*kernel, device, launch, {.seed = 7});
//
// It executes what a GPU executes and checks what a GPU does not: every access against its allocation, every read of
// a register or of memory against its definition, accesses to shared memory against the happens-before order of
// barriers and mbarriers, and asynchronous copies and products against the wait that makes them visible. What it
// cannot execute is an Error when the entry is decoded. It relies on the standard library and fmt alone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace sattn::ptx {

/// Why a text, an entry or a launch is refused.
struct Error {
  std::string message;
  /// The line of the PTX text, from 1, and that line without surrounding blanks; 0 and empty when no line is to blame.
  unsigned line = 0;
  std::string text = {};
  /// "line 12: message: 'text'".
  std::string format() const;
};

/// A value, or the Error that explains its absence.
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : state(std::move(value)) {}
  Result(Error problem) : state(std::move(problem)) {}
  explicit operator bool() const { return state.index() == 0; }
  T &operator*() { return std::get<0>(state); }
  const T &operator*() const { return std::get<0>(state); }
  T *operator->() { return &std::get<0>(state); }
  const T *operator->() const { return &std::get<0>(state); }
  /// Precondition: no value.
  const Error &error() const { return std::get<1>(state); }

private:
  std::variant<T, Error> state;
};

struct Syntax;
struct Program;

/// A decoded entry: can be launched any number of times, also at the same time with different devices.
class Kernel {
public:
  explicit Kernel(std::shared_ptr<const Program> program) : decoded(std::move(program)) {}
  const Program &program() const { return *decoded; }
  /// Bytes of each parameter in order.
  std::vector<uint32_t> parameterBytes() const;
  /// Threads of a block that the text requires (.reqntid) or allows (.maxntid); 0: not said.
  uint64_t requiredThreads() const;
  uint64_t maxThreads() const;
  /// Shared memory that the text itself declares; a launch adds its own bytes to it.
  uint32_t staticSharedBytes() const;

private:
  std::shared_ptr<const Program> decoded;
};

/// A parsed PTX module. Immutable after parse().
class Module {
public:
  /// Cost: linear in the text. The module keeps a copy of the text, because reports quote it.
  static Result<Module> parse(std::string_view text);
  std::vector<std::string> entries() const;
  /// Decodes the entry and every function it calls (they are inlined). Everything that cannot be executed (an unknown
  /// instruction, modifier or operand form, recursion, a call of an undefined function) is an Error here.
  Result<Kernel> entry(std::string_view name) const;

private:
  std::shared_ptr<const Syntax> syntax;
};

/// What an allocation holds before the launch: bytes that may be read, or nothing yet.
enum class Contents : uint8_t { Defined, Undefined };

/// The global memory of a launch: spans of host memory under device addresses. Kernels write straight into the host's
/// bytes. Between two allocations lie unmapped addresses, so no index that is slightly wrong meets another one. Not
/// thread-safe; the spans must outlive every launch.
class Device {
public:
  Device();
  ~Device();
  Device(Device &&) noexcept;
  Device &operator=(Device &&) noexcept;
  /// Returns the device address, aligned to 256 bytes plus `misalignment` (to test kernels on views).
  uint64_t add(std::string name, std::span<std::byte> bytes, Contents contents, uint32_t misalignment = 0);
  /// Memory that a kernel must not write.
  uint64_t addConstant(std::string name, std::span<const std::byte> bytes, uint32_t misalignment = 0);
  /// True if every byte of the allocation at `address` is defined (was given or written).
  bool fullyDefined(uint64_t address) const;

  class Memory;
  Memory &memory() { return *state; }

private:
  std::unique_ptr<Memory> state;
};

/// How TMA places the 16-byte units of a box's rows in shared memory, and how wide a row may be.
enum class Swizzle : uint8_t { None, Bytes32, Bytes64, Bytes128 };

/// A tensor in global memory of which cp.async.bulk.tensor copies boxes. Dimension 0 is contiguous; strides[i] is the
/// distance in bytes between neighbours of dimension i + 1. What lies outside reads as zero.
struct TensorMap {
  uint64_t address = 0;
  uint32_t rank = 2, elementBytes = 2;
  std::array<uint32_t, 5> dims = {};
  std::array<uint64_t, 4> strides = {};
  std::array<uint32_t, 5> box = {};
  Swizzle swizzle = Swizzle::None;
};
constexpr size_t TensorMapBytes = 128;

/// The 128 bytes that a kernel takes as its tensor map, in this interpreter's own format. An Error tells which rule of
/// the hardware the map breaks.
Result<std::array<std::byte, TensorMapBytes>> encode(const TensorMap &map);

struct Dim3 {
  uint32_t x = 1, y = 1, z = 1;
  uint64_t count() const { return uint64_t(x) * y * z; }
};

/// Arguments in the order of the entry's parameters.
class Arguments {
public:
  Arguments &pointer(uint64_t address) { return value(address); }
  template <typename T> Arguments &value(const T &v) {
    static_assert(std::is_trivially_copyable_v<T>);
    std::vector<std::byte> &bytes = values.emplace_back(sizeof(T));
    std::memcpy(bytes.data(), &v, sizeof(T));
    return *this;
  }
  const std::vector<std::vector<std::byte>> &list() const { return values; }

private:
  std::vector<std::vector<std::byte>> values;
};

struct Launch {
  Dim3 grid = {}, block = {};
  /// Dynamic shared memory in bytes.
  uint32_t sharedBytes = 0;
  Arguments arguments = {};
};

struct Options {
  /// Chooses the order of blocks and warps, how long a warp runs before the next one does, when asynchronous work
  /// completes within what its wait allows, and which waits time out. Results of a correct kernel do not depend on it.
  uint64_t seed = 0;
  /// A launch stops after so many different faults.
  unsigned maxFaults = 8;
  /// Warp instructions after which a block counts as endless.
  uint64_t maxInstructions = uint64_t(1) << 28;
};

enum class FaultKind : uint8_t {
  OutOfBounds,
  Misaligned,
  ReadOnly,
  UninitialisedRegister,
  UninitialisedMemory,
  Race,
  MissingWait,
  MissingFence,
  BarrierDivergence,
  BarrierMisuse,
  MbarrierMisuse,
  Deadlock,
  Trap,
  InvalidOperand,
  InstructionLimit
};
std::string_view nameOf(FaultKind kind);

/// One thing that a kernel did wrong; the first occurrence at its line.
struct Fault {
  FaultKind kind;
  std::string message;
  unsigned line = 0;
  std::string text;
  Dim3 block;
  /// Linear index in the block.
  uint32_t thread = 0;
  /// How many lanes and times the same kind struck at the same line.
  uint64_t count = 1;
  /// "race: message (line 12: 'text', block (1,0,0), thread 37)".
  std::string format() const;
};

/// What a launch did. Counters cover the blocks that ran.
struct Report {
  std::vector<Fault> faults;
  uint64_t warpInstructions = 0;
  /// By opcode with its modifiers, as written.
  std::map<std::string, uint64_t> byOpcode;
  uint64_t globalBytesRead = 0, globalBytesWritten = 0;
  /// Shared memory: rounds of the 32 banks that all accesses took, and how many of them conflict-free accesses of the
  /// same widths would not have taken.
  uint64_t sharedRounds = 0, sharedConflictRounds = 0;

  bool ok() const { return faults.empty(); }
  /// One fault per line.
  std::string format() const;
};

/// Runs all blocks, one after the other. An Error tells of a launch that a driver would refuse (argument sizes, block
/// shape); faults of the kernel are in the Report. Never throws.
Result<Report> run(const Kernel &kernel, Device &device, const Launch &launch, const Options &options = {});

} // namespace sattn::ptx
