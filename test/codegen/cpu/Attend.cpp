// The call of Attend.h.
#include "test/codegen/cpu/Attend.h"
#include <cmath>

using namespace sattn::cpu;
using namespace sattn::cpu::test;

static Tensor::Type elementType(const std::string &name) {
  return name == "f16" ? Tensor::F16 : name == "bf16" ? Tensor::BF16 : Tensor::F32;
}

AttendCall::AttendCall(const AttendSpec &spec, int64_t batch, int64_t tq, int64_t s, int64_t heads)
    : spec(spec), q(elementType(spec.type), batch, tq, heads, spec.d),
      k(elementType(spec.type), batch, s, heads / spec.group, spec.d),
      v(elementType(spec.type), batch, s, heads / spec.group, spec.dv),
      o(elementType(spec.type), batch, tq, heads, spec.dv), lse(Tensor::F32, batch, tq, heads, 1),
      qOffset(static_cast<size_t>(batch), s - tq), kvLength(static_cast<size_t>(batch), s),
      scale(static_cast<float>(1.0 / std::sqrt(static_cast<double>(spec.d)))) {
  std::mt19937 random(static_cast<unsigned>(tq * 31 + s * 7 + spec.d));
  std::normal_distribution<double> normal;
  for (Tensor *tensor : {&q, &k, &v})
    tensor->fill([&] { return normal(random); });
  o.fill([] { return NAN; });
  lse.fill([] { return NAN; });
  visible = [this](int64_t t, int64_t key) { return key <= t && t - key < window; };
  int64_t blocks = (s + spec.keys - 1) / spec.keys;
  packedK.assign(static_cast<size_t>(batch * k.heads * blocks * spec.keys * spec.d + 16), NAN);
  packedV.assign(static_cast<size_t>(batch * k.heads * blocks * spec.keys * spec.dv + 16), NAN);
}

static float *aligned(std::vector<float> &values) {
  return reinterpret_cast<float *>((reinterpret_cast<uintptr_t>(values.data()) + 63) / 64 * 64);
}

void AttendCall::pack(Program &program, int threads) {
  int64_t blocks = (k.positions + spec.keys - 1) / spec.keys, rows = blocks * spec.keys, heads = k.heads;
  Frame fk, fv;
  k.in(fk).view(aligned(packedK), {k.batch, k.positions, heads}, {heads * rows * spec.d, spec.d, rows * spec.d});
  v.in(fv).view(aligned(packedV), {k.batch, k.positions, heads}, {heads * rows * spec.dv, spec.dv, rows * spec.dv});
  program.run("pack_k", fk, blocks, heads, k.batch, threads);
  program.run("pack_v", fv, blocks, heads, k.batch, threads);
}

void AttendCall::attend(Program &program, int threads) {
  int64_t rows = (k.positions + spec.keys - 1) / spec.keys * spec.keys, heads = k.heads;
  Frame frame;
  q.in(frame);
  frame.view(aligned(packedK), {k.batch, k.positions, heads}, {heads * rows * spec.d, spec.d, rows * spec.d});
  frame.view(aligned(packedV), {k.batch, k.positions, heads}, {heads * rows * spec.dv, spec.dv, rows * spec.dv});
  o.in(frame);
  lse.in(frame);
  frame.perBatch(qOffset.data()).perBatch(kvLength.data()).index(window).number(scale * 1.44269504f);
  program.run("attend", frame, (q.positions + spec.rows - 1) / spec.rows, q.heads, q.batch, threads);
}

double AttendCall::pairs() const {
  double count = 0;
  for (int64_t t = 0; t < q.positions; ++t)
    count += static_cast<double>(std::min(t + qOffset[0] + 1, window));
  return count;
}

double AttendCall::error(int64_t stride) const {
  double worst = 0;
  auto compare = [&](double got, double want) {
    if (std::isnan(got) != std::isnan(want) || std::isinf(got) != std::isinf(want))
      worst = INFINITY;
    else if (!std::isnan(want) && !std::isinf(want))
      worst = std::max(worst, std::fabs(got - want) / std::max(1.0, std::fabs(want)));
  };
  for (int64_t row = 0; row < q.batch * q.positions * q.heads; row += stride) {
    int64_t h = row % q.heads, p = row / q.heads % q.positions, b = row / q.heads / q.positions;
    int64_t hk = h / spec.group, length = std::min(kvLength[static_cast<size_t>(b)], k.positions);
    int64_t t = p + qOffset[static_cast<size_t>(b)];
    std::vector<std::pair<int64_t, double>> scores;
    double best = -INFINITY, sum = 0;
    for (int64_t s = 0; s < length; ++s) {
      if (!visible(t, s))
        continue;
      double dot = 0;
      for (int64_t i = 0; i < spec.d; ++i)
        dot += q.get(b, p, h, i) * k.get(b, s, hk, i);
      scores.emplace_back(s, dot * scale);
      best = std::isnan(dot) ? NAN : std::max(best, dot * scale);
    }
    for (auto &[s, score] : scores)
      sum += score = std::exp(score - best);
    compare(lse.get(b, p, h, 0), scores.empty() ? -INFINITY : best + std::log(sum));
    for (int64_t i = 0; i < spec.dv; ++i) {
      double value = 0;
      for (auto [s, weight] : scores)
        value += weight * v.get(b, s, hk, i);
      compare(o.get(b, p, h, i), scores.empty() ? 0 : value / sum);
    }
  }
  return worst;
}
