// See Compare.h.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "test/lib/transforms/Compare.h"
#include "dialects/pattern/KeySet.h"
#include "lib/reference/TileInterp.h"
#include "lib/transforms/Bindings.h"
#include "lib/transforms/Passes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include <doctest/doctest.h>
#include <cmath>
#include <fstream>
#include <sstream>

namespace sattn {

TargetInfo Case::smallTarget() {
  TargetInfo target;
  target.name = "small";
  target.rowTile = 8;
  target.keyTile = 8;
  target.rowQuantum = 2;
  target.keyLayout = {8, true, 2};
  target.valueLayout = {8, false, 2};
  target.waveBytes = 1 << 14;
  return target;
}

std::string Case::text() const {
  std::ostringstream out;
  out << pattern << " B=" << batch << " T=" << rows << " S=" << keys << " Hkv=" << kvHeads << " group=" << group
      << " D=" << features << " Dv=" << valueFeatures;
  for (const auto &[name, value] : bind)
    out << " " << name << "=" << value;
  for (const auto &[name, value] : params)
    out << " " << name << "=" << value;
  auto list = [&](const char *name, const std::vector<int64_t> &values) {
    for (int64_t value : values)
      out << " " << name << "=" << value;
  };
  list("q_offset", qOffset);
  list("kv_offset", kvOffset);
  list("kv_len", kvLen);
  return out.str();
}

static std::string sourceOf(const std::string &pattern) {
  if (pattern.find('@') != std::string::npos)
    return pattern;
  std::ifstream file(std::string(SATTN_PATTERNS) + "/" + pattern + ".mlir");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Uniform in [-1, 1), from a fixed stream of numbers.
static double noise(uint64_t &state) {
  state = state * 6364136223846793005ull + 1442695040888963407ull;
  return static_cast<double>(static_cast<int64_t>(state >> 11)) / static_cast<double>(int64_t(1) << 52) - 1.0;
}

namespace {
class Comparison {
public:
  Comparison(const Case &one, std::string &error) : one(one), error(error), context(registry()) {
    context.disableMultithreading();
    handler.emplace(&context, [this](mlir::Diagnostic &diagnostic) {
      if (this->error.empty() && diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error)
        this->error = diagnostic.str();
      return success();
    });
  }

  double run() {
    auto module = mlir::parseSourceString<mlir::ModuleOp>(sourceOf(one.pattern), &context);
    if (!module)
      return fail("pattern does not parse");
    auto pattern = *module->getOps<PatternOp>().begin();
    bindText(pattern);
    mlir::OwningOpRef<mlir::ModuleOp> specialised = module->clone();
    mlir::PassManager fused(&context);
    buildFusedPipeline(fused, bind);
    if (failed(fused.run(*specialised)))
      return fail("not specialised");
    auto bound = *specialised->getOps<PatternOp>().begin();
    makeCall(bound);
    auto expected = ref::interpret(bound, call, [&] { return mlir::emitError(module->getLoc()); });
    mlir::PassManager manager(&context);
    buildTilePipeline(manager, one.target, bind);
    if (failed(expected) || failed(manager.run(*module)))
      return fail("not lowered");
    auto program = *module->getOps<tile::ProgramOp>().begin();
    auto got = ref::interpretProgram(program, call, [&] { return mlir::emitError(module->getLoc()); });
    if (failed(got))
      return fail("not run");
    return compare(*expected, *got);
  }

private:
  static const mlir::DialectRegistry &registry() {
    static mlir::DialectRegistry dialects = [] {
      mlir::DialectRegistry made;
      registerPatternDialect(made);
      registerTileDialect(made);
      return made;
    }();
    return dialects;
  }

  double fail(const char *what) {
    if (error.empty())
      error = what;
    return INFINITY;
  }

  void bindText(PatternOp pattern) {
    bind = "dtype=f32";
    std::map<std::string, int64_t> values = one.bind;
    auto bindOnce = [&](const std::string &name, int64_t value) { values.insert({name, value}); };
    for (auto role : pattern.getRoles().getAsRange<RoleAttr>())
      for (AxisAttr axis : role.getAxes()) {
        if (axis.isFeature())
          bindOnce(axis.getName().str(), axis.getName() == "Dv" ? one.valueFeatures : one.features);
        if (axis.getName() == "g")
          bindOnce("group", one.group);
        else if (axis.isHead() && axis.getName() != "h")
          bindOnce("group." + axis.getName().str(), one.group);
      }
    for (const auto &[name, value] : values)
      bind += "," + name + "=" + std::to_string(value);
  }

  int64_t extent(const BoundPattern &bound, AxisAttr axis) {
    int64_t queryHeads = one.kvHeads * one.group;
    switch (axis.kind()) {
    case AxisKind::Rows:
      return one.rows;
    case AxisKind::Keys:
      return one.keys;
    case AxisKind::KeyBlocks: {
      int64_t length = *literalInt(axis.getLen()), stride = *literalInt(axis.getStride());
      return one.keys < length ? 0 : (one.keys - length) / stride + 1;
    }
    case AxisKind::QueryHeads:
    case AxisKind::KvHeads:
      return queryHeads / bound.headRatio(axis).value_or(1);
    default:
      return bound.size(axis);
    }
  }

  void makeCall(PatternOp pattern) {
    BoundPattern bound(pattern);
    uint64_t state = one.seed * 7919;
    for (auto role : pattern.getRoles().getAsRange<RoleAttr>()) {
      SmallVector<int64_t> shape;
      if (llvm::any_of(role.getAxes(), [](AxisAttr axis) { return axis.isPosition(); }))
        shape.push_back(one.batch);
      for (AxisAttr axis : role.getAxes())
        shape.push_back(extent(bound, axis));
      ref::Array array = ref::Array::zeros(shape);
      for (double &x : array.data)
        x = role.getIsInt() ? std::floor(2 * noise(state)) : noise(state);
      call.roles[role.getName()] = std::move(array);
    }
    for (const auto &[name, value] : one.params)
      call.params[name] = value;
    call.qOffset = one.qOffset;
    call.kvOffset = one.kvOffset;
    call.kvLen = one.kvLen;
    call.headsInside = one.headsInside;
  }

  double compare(const std::vector<ref::Output> &expected, const std::vector<ref::Output> &got) {
    double worst = 0.0;
    for (auto [want, have] : llvm::zip_equal(expected, got)) {
      if (want.name != have.name || want.value.shape != have.value.shape)
        return fail("results differ in name or shape");
      double largest = 1e-30, difference = 0.0;
      for (auto [x, y] : llvm::zip_equal(want.value.data, have.value.data)) {
        if (!std::isfinite(x) || !std::isfinite(y)) {
          if (!(x == y || (std::isnan(x) && std::isnan(y))))
            return fail(("result '" + want.name + "' is not finite").c_str());
          continue;
        }
        largest = std::max(largest, std::fabs(x));
        difference = std::max(difference, std::fabs(x - y));
      }
      worst = std::max(worst, difference / largest);
    }
    return worst;
  }

  const Case &one;
  std::string &error;
  mlir::MLIRContext context;
  std::optional<mlir::ScopedDiagnosticHandler> handler;
  std::string bind;
  ref::Call call;
};
} // namespace

double disagreement(const Case &one, std::string &error) { return Comparison(one, error).run(); }

} // namespace sattn
