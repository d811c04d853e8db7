// The call of Attend.h.
#include "test/codegen/cpu/Attend.h"
#include <algorithm>
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

Frame &AttendCall::packed(Frame &frame, std::vector<float> &memory, int64_t inner) const {
  int64_t rows = (k.positions + spec.keys - 1) / spec.keys * spec.keys;
  return frame.view(aligned(memory), {k.batch, k.positions, k.heads}, {k.heads * rows * inner, inner, rows * inner});
}

void AttendCall::pack(Program &program, int threads) {
  int64_t blocks = (k.positions + spec.keys - 1) / spec.keys;
  Frame fk, fv;
  packed(k.in(fk), packedK, spec.d);
  packed(v.in(fv), packedV, spec.dv);
  program.run("pack_k", fk, blocks, k.heads, k.batch, threads);
  program.run("pack_v", fv, blocks, k.heads, k.batch, threads);
}

void AttendCall::attend(Program &program, int threads) {
  Frame frame;
  packed(packed(q.in(frame), packedK, spec.d), packedV, spec.dv);
  lse.in(o.in(frame)).perBatch(qOffset.data()).perBatch(kvLength.data()).index(window).number(scale * 1.44269504f);
  program.run("attend", frame, (q.positions + spec.rows - 1) / spec.rows, q.heads, q.batch, threads);
}

static AttendSpec attendSpec(const SelectedSpec &spec) {
  AttendSpec attend;
  attend.d = attend.dv = spec.d;
  attend.group = spec.group;
  attend.width = spec.width;
  return attend;
}

SelectedCall::SelectedCall(const SelectedSpec &spec, int64_t length, int64_t heads)
    : spec(spec), base(attendSpec(spec), 1, length, length, heads),
      lists(Tensor::I32, 1, length, heads / spec.group, spec.count) {
  std::mt19937 random(9);
  for (int64_t t = 0; t < length; ++t)
    for (int64_t h = 0; h < lists.heads; ++h) {
      std::vector<int64_t> blocks = {t / 64};
      while (static_cast<int64_t>(blocks.size()) < std::min(spec.count, t / 64 + 1)) {
        auto block = static_cast<int64_t>(random() % static_cast<unsigned>(t / 64 + 1));
        if (std::find(blocks.begin(), blocks.end(), block) == blocks.end())
          blocks.push_back(block);
      }
      std::sort(blocks.begin(), blocks.end());
      blocks.resize(static_cast<size_t>(spec.count), -1);
      for (int64_t i = 0; i < spec.count; ++i)
        lists.set(0, t, h, i, static_cast<double>(blocks[static_cast<size_t>(i)]));
    }
  base.visible = [this](int64_t t, int64_t s) {
    for (int64_t i = 0; i < this->spec.count; ++i)
      if (lists.get(0, t, base.visibleHead / this->spec.group, i) == static_cast<double>(s / 64))
        return s <= t;
    return false;
  };
}

void SelectedCall::run(Program &program, int threads) {
  Frame frame;
  base.packed(base.packed(base.q.in(frame), base.packedK, spec.d), base.packedV, spec.d);
  base.lse.in(base.o.in(lists.in(frame))).number(base.scale * 1.44269504f);
  program.run("selected", frame, (base.q.positions + spec.chunk - 1) / spec.chunk, lists.heads, 1, threads);
}

double SelectedCall::pairs() const {
  double count = 0;
  for (int64_t t = 0; t < base.q.positions; ++t)
    count += static_cast<double>((std::min(spec.count, t / 64 + 1) - 1) * 64 + t % 64 + 1);
  return count;
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
    visibleHead = h;
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
