// The harness of Harness.h.
#include "test/codegen/cpu/Harness.h"
#include "dialects/tile/Tile.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/raw_ostream.h"
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <thread>
#include <unistd.h>
#include <xmmintrin.h>

using namespace sattn;
using namespace sattn::cpu;
using namespace sattn::cpu::test;

Frame &Frame::view(const void *data, std::array<int64_t, 3> counts, std::array<int64_t, 3> strides) {
  slots.push_back(reinterpret_cast<int64_t>(data));
  slots.insert(slots.end(), counts.begin(), counts.end());
  slots.insert(slots.end(), strides.begin(), strides.end());
  return *this;
}
Frame &Frame::index(int64_t value) {
  slots.push_back(value);
  return *this;
}
Frame &Frame::number(float value) {
  int64_t slot = 0;
  std::memcpy(&slot, &value, sizeof value);
  return index(slot);
}
Frame &Frame::perBatch(const int64_t *values) { return index(reinterpret_cast<int64_t>(values)); }

std::unique_ptr<Program> Program::compile(const std::string &text, Isa isa, std::string &error,
                                          const CodegenOptions &options) {
  mlir::DialectRegistry registry;
  registerTileDialect(registry);
  registry.insert<mlir::affine::AffineDialect, mlir::math::MathDialect, mlir::scf::SCFDialect>();
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    error += diagnostic.str() + "\n";
    return success();
  });
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  if (!module)
    return nullptr;
  auto programs = module->getOps<tile::ProgramOp>();
  FailureOr<CompiledCode> code = compileProgram(*programs.begin(), isa, options);
  if (failed(code))
    return nullptr;
  auto program = std::make_unique<Program>();
  program->code = std::move(*code);
  char path[] = "/tmp/sattn-test-XXXXXX";
  int fd = mkstemp(path);
  bool written = write(fd, program->code.object.data(), program->code.object.size()) ==
                 static_cast<ssize_t>(program->code.object.size());
  close(fd);
  if (written)
    program->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  unlink(path);
  if (!program->handle) {
    error += "cannot load the object";
    return nullptr;
  }
  return program;
}

Program::~Program() {
  if (handle)
    dlclose(handle);
}

void Program::run(const std::string &kernel, const Frame &frame, int64_t x, int64_t y, int64_t z, int threads) {
  using Function = void (*)(const int64_t *, char *, int64_t, int64_t, int64_t);
  Function function = nullptr;
  int64_t scratchBytes = 0;
  for (const CompiledKernel &candidate : code.kernels)
    if (candidate.name == kernel) {
      function = reinterpret_cast<Function>(dlsym(handle, candidate.symbol.c_str()));
      scratchBytes = candidate.scratchBytes;
    }
  if (!function) {
    std::fprintf(stderr, "no kernel '%s'\n", kernel.c_str());
    std::abort();
  }
  std::atomic<int64_t> next{0};
  auto work = [&] {
    unsigned modes = _mm_getcsr();
    _mm_setcsr(modes | 0x8040); // flush to zero, denormals are zero
    size_t bytes = static_cast<size_t>((scratchBytes + 63) / 64 * 64 + 64);
    auto *scratch = static_cast<char *>(std::aligned_alloc(64, bytes));
    std::memset(scratch, 0xff, bytes); // NaN: nothing may rely on what it holds
    for (int64_t task = next++; task < x * y * z; task = next++)
      function(frame.slots.data(), scratch, x - 1 - task % x, task / x % y, task / x / y);
    for (size_t i = static_cast<size_t>(scratchBytes); i < bytes; ++i)
      if (scratch[i] != static_cast<char>(0xff)) {
        std::fprintf(stderr, "kernel '%s' wrote past its %ld bytes of scratch memory\n", kernel.c_str(),
                     static_cast<long>(scratchBytes));
        std::abort();
      }
    std::free(scratch);
    _mm_setcsr(modes);
  };
  std::vector<std::thread> workers;
  for (int i = 1; i < threads; ++i)
    workers.emplace_back(work);
  work();
  for (std::thread &worker : workers)
    worker.join();
}

bool sattn::cpu::test::runs(Isa isa) {
  __builtin_cpu_init();
  switch (isa) {
  case Isa::Baseline:
    return true;
  case Isa::Avx2:
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  case Isa::Avx512:
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  default:
    return runs(Isa::Avx512) && __builtin_cpu_supports("avx512vpopcntdq");
  }
}

std::vector<Isa> sattn::cpu::test::levels() {
  std::vector<Isa> result;
  for (Isa isa : {Isa::Baseline, Isa::Avx2, Isa::Avx512})
    if (runs(isa))
      result.push_back(isa);
  return result;
}

float sattn::cpu::test::halfToFloat(uint16_t bits) {
  int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  double value = exponent == 31  ? (mantissa ? NAN : INFINITY)
                 : exponent == 0 ? std::ldexp(mantissa, -24)
                                 : std::ldexp(1024 + mantissa, exponent - 25);
  return static_cast<float>(bits & 0x8000 ? -value : value);
}

uint16_t sattn::cpu::test::floatToHalf(float value) {
  uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  double magnitude = std::fabs(static_cast<double>(value));
  if (std::isnan(value))
    return sign | 0x7e00;
  if (magnitude >= 65520)
    return sign | 0x7c00;
  int exponent = magnitude == 0 ? -14 : std::max(-14, std::ilogb(magnitude));
  auto steps = static_cast<int>(std::nearbyint(std::ldexp(magnitude, 10 - exponent)));
  // steps counts units of 2^(exponent - 10); 1024 of them carry into the exponent field by themselves.
  return static_cast<uint16_t>(sign | (((exponent + 14) << 10) + steps));
}

Tensor::Tensor(Type type, int64_t batch, int64_t positions, int64_t heads, int64_t inner)
    : type(type), batch(batch), positions(positions), heads(heads), inner(inner),
      bytes(static_cast<size_t>(batch * positions * heads * inner + 32)) {}

const char *Tensor::typeName() const {
  static const char *names[] = {"f32", "f16", "bf16", "i32", "i8", "ui8"};
  return names[type];
}

double Tensor::get(int64_t b, int64_t p, int64_t h, int64_t i) const {
  int64_t at = ((b * positions + p) * heads + h) * inner + i;
  const uint32_t *words = bytes.data();
  const char *chars = reinterpret_cast<const char *>(words);
  uint16_t half;
  std::memcpy(&half, chars + 2 * at, 2);
  float value;
  switch (type) {
  case I8:
    return static_cast<int8_t>(chars[at]);
  case U8:
    return static_cast<uint8_t>(chars[at]);
  case F32:
    std::memcpy(&value, words + at, 4);
    return value;
  case I32:
    return static_cast<int32_t>(words[at]);
  case F16:
    return halfToFloat(half);
  case BF16:
    uint32_t wide = static_cast<uint32_t>(half) << 16;
    std::memcpy(&value, &wide, 4);
    return value;
  }
  return 0;
}

void Tensor::set(int64_t b, int64_t p, int64_t h, int64_t i, double value) {
  int64_t at = ((b * positions + p) * heads + h) * inner + i;
  auto single = static_cast<float>(value);
  uint32_t bits;
  std::memcpy(&bits, &single, 4);
  uint16_t half = type == F16          ? floatToHalf(single)
                  : std::isnan(single) ? 0x7fc0
                                       : static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  if (type == F32)
    bytes[static_cast<size_t>(at)] = bits;
  else if (type == I32)
    bytes[static_cast<size_t>(at)] = static_cast<uint32_t>(static_cast<int32_t>(value));
  else if (type == I8 || type == U8)
    reinterpret_cast<char *>(bytes.data())[at] = static_cast<char>(static_cast<int>(value));
  else
    std::memcpy(reinterpret_cast<char *>(bytes.data()) + 2 * at, &half, 2);
}

void Tensor::fill(const std::function<double()> &next) {
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t p = 0; p < positions; ++p)
      for (int64_t h = 0; h < heads; ++h)
        for (int64_t i = 0; i < inner; ++i)
          set(b, p, h, i, next());
}
