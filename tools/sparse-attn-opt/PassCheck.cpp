// The pass instrumentation behind --verify-each=N.
#include "tools/sparse-attn-opt/PassCheck.h"
#include "dialects/pattern/Functions.h"
#include "dialects/tile/Tile.h"
#include "lib/reference/Interpreter.h"
#include "lib/reference/TileInterp.h"
#include "tools/sparse-attn-opt/RandomCall.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassInstrumentation.h"
#include "mlir/Pass/PassManager.h"
#include <atomic>
#include <cmath>

using namespace sattn;

// Passes may sum in another order and fold factors into float32 constants; all else is float64.
static constexpr double tolerance = 2e-6;

static std::atomic<int> failures{0};
int sattn::passCheckFailures() { return failures; }

namespace {

// The pattern or program that an op is or holds.
Operation *subjectOf(Operation *op) {
  if (isa<PatternOp, tile::ProgramOp>(op))
    return op;
  if (auto module = dyn_cast<mlir::ModuleOp>(op))
    for (Operation &inner : *module.getBody())
      if (isa<PatternOp, tile::ProgramOp>(inner))
        return &inner;
  return nullptr;
}

// A copy stands in no module: the formulas of the functions that its maps call take their place.
Operation *copyOf(Operation *subject) {
  Operation *copy = subject->clone();
  if (auto from = dyn_cast<PatternOp>(subject))
    for (auto [map, copied] : llvm::zip_equal(from.getBody().front().getOps<MapOp>(),
                                              cast<PatternOp>(copy).getBody().front().getOps<MapOp>())) {
      FunctionOp lacking;
      if (ExprAttr formula = expandFunctions(map, map.getFormula(), lacking))
        copied.setFormulaAttr(formula);
    }
  return copy;
}

// Functions in CUDA C++ have no float64 meaning; as formulas they are gone from a program.
bool callsFunctions(Operation *op) {
  auto program = dyn_cast<tile::ProgramOp>(op);
  return program && !program.getBody().getOps<tile::FunctionOp>().empty();
}

using Outputs = FailureOr<std::vector<ref::Output>>;

class PassCheck : public mlir::PassInstrumentation {
public:
  PassCheck(int calls, StringRef bind) : calls(calls), bind(bind.str()) {}

  void runBeforePass(mlir::Pass *, Operation *op) override {
    Operation *subject = subjectOf(op);
    before.push_back(subject ? copyOf(subject) : nullptr);
    if (isa_and_nonnull<PatternOp>(subject) && !author)
      author = cast<PatternOp>(copyOf(subject));
  }

  void runAfterPass(mlir::Pass *pass, Operation *op) override {
    Clone old(before.pop_back_val());
    Operation *now = subjectOf(op);
    // Adaptors run other passes, which have been compared one by one; many passes change nothing.
    bool isAdaptor = pass->getName().contains("OpToOpPassAdaptor");
    if (!isAdaptor && old && now && author && !callsFunctions(now) &&
        !mlir::OperationEquivalence::isEquivalentTo(*old, now, mlir::OperationEquivalence::IgnoreLocations))
      compare(pass->getName(), *old, now);
  }

  void runAfterPassFailed(mlir::Pass *, Operation *) override { Clone old(before.pop_back_val()); }

  ~PassCheck() override {
    if (author)
      author->erase();
  }

private:
  struct Clone {
    explicit Clone(Operation *op) : op(op) {}
    ~Clone() {
      if (op)
        op->erase();
    }
    explicit operator bool() const { return op; }
    Operation *operator*() const { return op; }
    Operation *op;
  };

  static Outputs interpret(Operation *op, const ref::Call &call) {
    auto emit = [&] { return op->emitError(); };
    if (auto pattern = dyn_cast<PatternOp>(op))
      return ref::interpret(pattern, call, emit);
    return ref::interpretProgram(cast<tile::ProgramOp>(op), call, emit);
  }

  // What the reference refuses before the pass says nothing about the pass.
  static Outputs quietly(Operation *op, const ref::Call &call) {
    mlir::ScopedDiagnosticHandler silence(op->getContext(), [](mlir::Diagnostic &) { return success(); });
    return interpret(op, call);
  }

  void compare(StringRef pass, Operation *old, Operation *now) {
    RandomCalls random(author, bind);
    for (int i = 0; i < calls; ++i) {
      ref::Call call = random.make(i);
      Outputs expected = quietly(old, call);
      if (failed(expected))
        continue;
      Outputs got = interpret(now, call);
      if (failed(got)) {
        report(pass, now, "is not understood after it", random.text(), i);
        return;
      }
      if (!compareOutputs(pass, now, *expected, *got, random.text(), i))
        return;
    }
  }

  bool compareOutputs(StringRef pass, Operation *now, ArrayRef<ref::Output> expected, ArrayRef<ref::Output> got,
                      StringRef sizes, int call) {
    for (auto [want, have] : llvm::zip_equal(expected, got)) {
      if (want.value.shape != have.value.shape) {
        report(pass, now, ("result '" + want.name + "' has another shape").c_str(), sizes, call);
        return false;
      }
      for (auto [index, a, b] : llvm::enumerate(want.value.data, have.value.data)) {
        bool agree = a == b || (std::isnan(a) && std::isnan(b)) || std::abs(a - b) <= tolerance * (1 + std::abs(a));
        if (agree)
          continue;
        report(pass, now,
               ("element " + Twine(index) + " of result '" + want.name + "' was " + std::to_string(a) + " and is " +
                std::to_string(b))
                   .str(),
               sizes, call);
        return false;
      }
    }
    return true;
  }

  void report(StringRef pass, Operation *op, const Twine &what, StringRef sizes, int call) {
    ++failures;
    op->emitError() << "pass '" << pass << "' changes results: " << what << " (call " << call << ": " << sizes << ")";
  }

  int calls;
  std::string bind;
  SmallVector<Operation *> before; ///< passes nest
  PatternOp author;                ///< the first pattern seen: it has the interface of all that follow
};

} // namespace

void sattn::installPassCheck(mlir::PassManager &manager, int calls, StringRef bind) {
  manager.addInstrumentation(std::make_unique<PassCheck>(calls, bind));
}
