// The instrumentation behind --verify-each must find a pass that changes results, and stay silent about one that does
// not.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tools/sparse-attn-opt/PassCheck.h"
#include "dialects/pattern/Formula.h"
#include "dialects/pattern/Pattern.h"
#include "lib/support/DiagnosticLog.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include <doctest/doctest.h>

using namespace sattn;

namespace {

constexpr const char *text = R"mlir(
sattn.pattern @p<W: int = 9>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : 0 <= t - s < W
  %z = sattn.score dot %q, %k
  %y = sattn.map %z : z * 2.0
  %o = sattn.attend %y over %keys, %v
  sattn.yield %o
}
)mlir";

/// Writes `factor` into the map: 2 is what the author wrote.
struct Rescale : mlir::PassWrapper<Rescale, mlir::OperationPass<PatternOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(Rescale)
  explicit Rescale(double factor) : factor(factor) {}
  StringRef getArgument() const override { return "test-rescale"; }
  StringRef getName() const override { return "Rescale"; }
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    getOperation()->walk([&](MapOp map) {
      ExprAttr z = nameExpr(context, "z"), two = floatExpr(context, factor / 2);
      map.setFormulaAttr(nodeExpr(ExprKind::Mul, {nodeExpr(ExprKind::Mul, {z, floatExpr(context, 2.0)}), two}));
    });
  }
  double factor;
};

/// What the check says of a pass that makes the factor `factor`.
std::string complaint(double factor, int &failures) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  mlir::DialectRegistry registry;
  registerPatternDialect(registry);
  context.appendDialectRegistry(registry);
  DiagnosticLog log(context, "p.mlir", text);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, mlir::ParserConfig(&context), "p.mlir");
  REQUIRE(module);
  mlir::PassManager manager(&context);
  manager.addNestedPass<PatternOp>(std::make_unique<Rescale>(factor));
  installPassCheck(manager, 5, "D=8,Dv=4,group=2");
  int before = passCheckFailures();
  CHECK(succeeded(manager.run(*module)));
  failures = passCheckFailures() - before;
  return log.text();
}

} // namespace

TEST_CASE("a pass that keeps results passes") {
  int failures = -1;
  CHECK(complaint(2.0, failures) == "");
  CHECK(failures == 0);
}

TEST_CASE("a pass that changes results is named with the call that shows it") {
  int failures = -1;
  std::string said = complaint(2.001, failures);
  INFO(said);
  CHECK(failures == 1);
  CHECK(said.find("p.mlir:2:1: error: pass 'Rescale' changes results: element ") != std::string::npos);
  CHECK(said.find("of result 'o' was ") != std::string::npos);
  CHECK(said.find("(call 0: B=") != std::string::npos);
}
