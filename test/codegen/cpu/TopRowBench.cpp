// Times the best of one row of numbers beside one pass over as many, in the same run and interleaved with it:
//   codegen-cpu-top-row-bench [KEYS=131072] [COUNT=2048] [TARGET=cpu-avx512] [ROUNDS=200] [ROW=normal]
// A row is `normal`, has `five` different numbers, all `equal`, `ascending`, or `periodic`, the best where no sample
// looks.
#include "test/codegen/cpu/Harness.h"
#include "test/codegen/cpu/Programs.h"
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>

using namespace sattn::cpu;
using namespace sattn::cpu::test;

static double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
static double median(std::vector<double> x) {
  std::nth_element(x.begin(), x.begin() + static_cast<int64_t>(x.size()) / 2, x.end());
  return x[x.size() / 2];
}

int main(int argc, char **argv) {
  auto number = [&](int at, int64_t otherwise) { return argc > at ? std::atoll(argv[at]) : otherwise; };
  int64_t keys = number(1, 131072) / 64 * 64, count = number(2, 2048), rounds = number(4, 200);
  std::string name = argc > 3 ? argv[3] : "cpu-avx512", kind = argc > 5 ? argv[5] : "normal", error;
  auto isa = sattn::cpu::parseTarget(name);
  if (mlir::failed(isa) || !runs(*isa))
    return std::fprintf(stderr, "%s does not run here\n", name.c_str()), 1;
  auto best = Program::compile(oneKernel("%a: A<f32, 64>, %ids: A<i32, 1>, %to: index, %n: index", R"(
    %c0 = arith.constant 0 : index
    %av = @slice %a[%c0, %c0] : A<f32, 64> -> V<f32, 64>
    %iv = @slice %ids[%c0, %c0] : A<i32, 1> -> V<i32, 1>
    @top_row %av[%c0 to %to] count(%n) rows(%c0) symbols() into %iv {forced = []} : V<f32, 64>, V<i32, 1>)"),
                               *isa, error);
  // The length of a list is counted in one pass.
  auto pass = Program::compile(oneKernel("%ids: A<i32, 1>, %y: A<f32, 1>", R"(
    %c0 = arith.constant 0 : index
    %iv = @slice %ids[%c0, %c0] : A<i32, 1> -> V<i32, 1>
    %n = @length %iv : V<i32, 1>
    %yv = @slice %y[%c0, %n] across : A<f32, 1> -> V<f32, 1>
    %one = @splat 1.0 : T<16xf32>
    @store %one, %yv[%n] : T<16xf32>, V<f32, 1>)"),
                               *isa, error);
  if (!best || !pass)
    return std::fprintf(stderr, "%s\n", error.c_str()), 1;
  int64_t room = (count + 15) / 16 * 16 + 16;
  Tensor a(Tensor::F32, 1, keys / 64, 1, 64), ids(Tensor::I32, 1, room, 1, 1), list(Tensor::I32, 1, keys, 1, 1),
      y(Tensor::F32, 1, 1, 1, 1);
  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  double at = 0;
  a.fill([&] {
    at += 1;
    if (kind == "periodic")
      return std::fmod(at, 256) < 128 ? -9.0 : normal(random);
    return kind == "five"     ? static_cast<double>(random() % 5)
           : kind == "normal" ? normal(random)
           : kind == "equal"  ? 1
                              : at;
  });
  Frame choose, read;
  a.in(choose);
  ids.in(choose).index(keys / 64).index(count);
  list.in(read);
  y.in(read);
  auto *row = static_cast<float *>(a.data());
  std::vector<double> ratios, times, passes;
  for (int64_t round = 0; round < rounds; ++round) {
    // A processor would learn where the best of a row stand.
    if (kind != "ascending" && kind != "periodic")
      std::shuffle(row, row + keys, random);
    double t0 = now();
    pass->run("k", read, 1, 1, 1);
    double t1 = now();
    best->run("k", choose, 1, 1, 1);
    double t2 = now();
    passes.push_back((t1 - t0) * 1e6);
    times.push_back((t2 - t1) * 1e6);
    ratios.push_back((t2 - t1) / (t1 - t0));
  }
  std::printf("%s: the best %ld of %ld in %.1f us, one pass in %.1f us, median of the ratios %.2f\n", name.c_str(),
              static_cast<long>(count), static_cast<long>(keys), median(times), median(passes), median(ratios));
}
