// Decoding over a sequence of 16,777,216 tokens by hierarchical sparse attention (examples/patterns/hsa.mlir): keys and
// values are files mapped into memory and nearly all holes, a token reads the landmarks of all chunks and the keys and
// values of the n chunks that it chose. Each of 100 tokens asks for one needle and must get it. What an engine does is
// here: hand over the compiler, get a kernel, call it.
//
//   build/bin/hsa_16m [--tokens N] [--needles N] [--folder PATH] [--threads N]
//
// Exit status 1 if a needle was not found.
#include <sattn/compiler.h>
#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include "examples/hsa_16m/Haystack.h"
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

using namespace hsa;

static constexpr float kTolerance = 1.0f / 32; ///< values are below 8, where half a bfloat16 step is 2^-7

static void check(sattn_status status) {
  if (status != SATTN_OK)
    throw std::runtime_error(sattn_last_error());
}

namespace {
/// A dense tensor of bfloat16 and the name of its role.
struct Operand {
  Operand(const char *name, const uint16_t *data, std::vector<int64_t> extents)
      : name(name), shape(std::move(extents)) {
    tensor.data = const_cast<uint16_t *>(data);
    tensor.device = {kDLCPU, 0};
    tensor.ndim = static_cast<int32_t>(shape.size());
    tensor.dtype = {kDLBfloat, 16, 1};
    tensor.shape = shape.data();
  }
  Operand(const Operand &) = delete;
  sattn_tensor named() const { return {name, &tensor}; }

  const char *name;
  std::vector<int64_t> shape;
  DLTensor tensor{};
};

/// The compiled pattern.
class Decoder {
public:
  explicit Decoder(int32_t threads) {
    sattn_options options{};
    options.struct_size = sizeof options;
    options.threads = threads;
    check(sattn_context_create(&options, &context));
    check(sattn_compiler_install(context));
    std::stringstream text;
    text << std::ifstream(SATTN_HSA_PATTERN).rdbuf();
    std::string pattern = text.str();
    std::string bind =
        fmt::format("D={0},Dv={0},D2={0},dtype=bf16,group={1},group.g2={1}", Sizes::features, Sizes::group);
    sattn_spec spec{};
    spec.struct_size = sizeof spec;
    spec.pattern = pattern.c_str();
    spec.bind = bind.c_str();
    check(sattn_get(context, &spec, &kernel));
  }
  ~Decoder() {
    sattn_kernel_release(kernel);
    sattn_context_destroy(context);
  }
  Decoder(const Decoder &) = delete;

  /// The output [heads, features] of one token that stands behind all keys.
  std::vector<uint16_t> decode(const Haystack &hay, const Needle &needle) {
    const Sizes &sizes = hay.sizes;
    std::vector<uint16_t> output(Sizes::heads * Sizes::features);
    Operand q("q", needle.query.data(), {1, 1, Sizes::heads, Sizes::features});
    Operand r("r", needle.retrieval.data(), {1, 1, Sizes::kvHeads, Sizes::features});
    Operand k("k", hay.keys.data(), {1, sizes.tokens, Sizes::kvHeads, Sizes::features});
    Operand v("v", hay.values.data(), {1, sizes.tokens, Sizes::kvHeads, Sizes::features});
    Operand m("m", hay.landmarks.data(), {1, sizes.chunks(), Sizes::kvHeads, Sizes::features});
    Operand o("o", output.data(), {1, 1, Sizes::heads, Sizes::features});
    const sattn_tensor inputs[] = {q.named(), k.named(), v.named(), r.named(), m.named()}, outputs[] = {o.named()};
    sattn_call call{};
    call.struct_size = sizeof call;
    call.inputs = inputs;
    call.input_count = std::size(inputs);
    call.outputs = outputs;
    call.output_count = std::size(outputs);
    call.q_offset = {&sizes.tokens, 1};
    check(sattn_run(kernel, &call));
    return output;
  }

private:
  sattn_context *context = nullptr;
  sattn_kernel *kernel = nullptr;
};
} // namespace

/// Megabytes of this process that are in memory: all of them, and those that belong to no file.
static std::pair<double, double> residentMegabytes() {
  std::ifstream status("/proc/self/status");
  std::pair<double, double> result{0, 0};
  for (std::string word; status >> word;)
    if (double kilobytes = 0; (word == "VmRSS:" || word == "RssAnon:") && status >> kilobytes)
      (word == "VmRSS:" ? result.first : result.second) = kilobytes * 1024 / 1e6;
  return result;
}

static int run(Sizes sizes, int64_t needles, const std::string &folder, int32_t threads) {
  constexpr uint64_t seed = 1;
  Haystack hay(sizes, needles, folder, seed);
  fmt::print("{} tokens in {} chunks; keys and values are files of {:.2f} GB each, of which {:.1f} MB are on disk; "
             "landmarks {:.1f} MB\n",
             sizes.tokens, sizes.chunks(), static_cast<double>(hay.keys.size()) / 1e9,
             static_cast<double>(hay.keys.bytesOnDisk()) / 1e6, static_cast<double>(sizes.landmarks()) * 2 / 1e6);
  Decoder decoder(threads);
  decoder.decode(hay, hay.needles.front()); // pages of the workspace come into being
  std::vector<double> milliseconds;
  int64_t found = 0;
  float worst = 0;
  for (size_t i = 0; i < hay.needles.size(); ++i) {
    auto start = std::chrono::steady_clock::now();
    std::vector<uint16_t> output = decoder.decode(hay, hay.needles[i]);
    milliseconds.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    auto [answer, error] = hay.nearest(output);
    if (answer == i && error <= kTolerance)
      ++found;
    else
      fmt::print("needle {} at token {} was not found: the output is nearest to that of needle {}, off by {:.3g}\n", i,
                 hay.needles[i].position, answer, error);
    worst = std::max(worst, error);
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  fmt::print("found {} of {} needles, largest error {:.2g}\n", found, needles, worst);
  fmt::print("a token takes {:.2f} ms, median of {} ({:.2f} to {:.2f})\n", milliseconds[milliseconds.size() / 2],
             milliseconds.size(), milliseconds.front(), milliseconds.back());
  auto [all, ownMemory] = residentMegabytes();
  fmt::print("resident: {:.0f} MB, of which {:.0f} MB are memory of the process's own and the rest pages of files\n",
             all, ownMemory);
  return found == needles ? 0 : 1;
}

int main(int argc, char **argv) {
  CLI::App app("decode over a very long sequence by hierarchical sparse attention");
  Sizes sizes{int64_t{1} << 24};
  int64_t needles = 100;
  int32_t threads = 0;
  std::string folder = std::filesystem::temp_directory_path();
  app.add_option("--tokens", sizes.tokens, "length of the sequence, a multiple of 64")
      ->check(CLI::Range(int64_t{1} << 12, int64_t{1} << 30))
      ->capture_default_str();
  app.add_option("--needles", needles, "needles, at most one in each chunk")->check(CLI::Range(1, 1 << 20));
  app.add_option("--folder", folder, "where the files of keys and values stand while this runs")
      ->check(CLI::ExistingDirectory)
      ->capture_default_str();
  app.add_option("--threads", threads, "threads; default: the processors this process may use")
      ->check(CLI::Range(1, 1024));
  CLI11_PARSE(app, argc, argv);
  try {
    if (sizes.tokens % Sizes::chunk != 0)
      throw std::invalid_argument(fmt::format("--tokens {} is no multiple of {}", sizes.tokens, Sizes::chunk));
    if (needles > sizes.chunks())
      throw std::invalid_argument(fmt::format("--needles {} exceeds the {} chunks", needles, sizes.chunks()));
    return run(sizes, needles, folder, threads);
  } catch (const std::exception &error) {
    fmt::print(stderr, "hsa_16m: error: {}\n", error.what());
    return 1;
  }
}
