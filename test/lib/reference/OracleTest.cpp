// Helpers of the oracle's tests, and doctest's main.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "OracleTest.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include <doctest/doctest.h>

namespace sattn::ref {

const Array &Result::operator[](const std::string &name) const {
  REQUIRE_MESSAGE(outputs.contains(name), error);
  return outputs.find(name)->second;
}

Result interpretText(const std::string &text, const mlir::DialectRegistry &registry,
                     llvm::function_ref<FailureOr<std::vector<Output>>(mlir::ModuleOp)> interpret) {
  Result result;
  MLIRContext context(registry);
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    if (result.error.empty())
      result.error = diagnostic.str();
    return success();
  });
  OwningOpRef<mlir::ModuleOp> module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  if (!module)
    return result;
  FailureOr<std::vector<Output>> outputs = interpret(*module);
  if (succeeded(outputs))
    for (Output &output : *outputs)
      result.outputs[output.name] = std::move(output.value);
  return result;
}

Result run(const std::string &text, const Call &call) {
  mlir::DialectRegistry registry;
  registerPatternDialect(registry);
  return interpretText(text, registry, [&](mlir::ModuleOp module) {
    PatternOp pattern = *module.getOps<PatternOp>().begin();
    return interpret(pattern, call, [&] { return mlir::emitError(pattern.getLoc()); });
  });
}

Array array(ArrayRef<int64_t> shape, std::vector<double> data) {
  return {SmallVector<int64_t>(shape), std::move(data)};
}

Array noise(ArrayRef<int64_t> shape, uint64_t seed) {
  Array made = Array::zeros(shape);
  for (double &x : made.data) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    x = static_cast<double>(seed >> 40) / double(1 << 23) - 1.0;
  }
  return made;
}

Array oneHot(int64_t n) {
  Array made = Array::zeros({1, n, 1, n});
  for (int64_t i = 0; i < n; ++i)
    made.at({0, i, 0, i}) = 1.0;
  return made;
}

Call showKeys(int64_t rows, int64_t keys) {
  Call call;
  call.roles["q"] = Array::zeros({1, rows, 1, 1});
  call.roles["k"] = Array::zeros({1, keys, 1, 1});
  call.roles["v"] = oneHot(keys);
  return call;
}

std::vector<int64_t> seen(const Array &o, int64_t row, int64_t batch) {
  std::vector<int64_t> keys;
  for (int64_t j = 0; j < o.shape[3]; ++j)
    if (o.at({batch, row, 0, j}) != 0.0)
      keys.push_back(j);
  for (int64_t j : keys) // each key counts once
    CHECK(o.at({batch, row, 0, j}) == doctest::Approx(1.0 / static_cast<double>(keys.size())));
  return keys;
}

std::string attendOver(const std::string &params, const std::string &lines, const std::string &roles) {
  return "sattn.pattern @p" + (params.empty() ? "" : "<" + params + ">") +
         "(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]" + roles + ") -> (o) {\n" + lines +
         "  %z = sattn.score dot %q, %k\n"
         "  %o = sattn.attend %z over %keys, %v\n"
         "  sattn.yield %o\n}";
}

} // namespace sattn::ref
