// Helpers of the tile interpreter's tests.
#include "TileTest.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace sattn::ref {

static void replaceAll(std::string &text, const std::string &from, const std::string &to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

Result runProgram(std::string text, const Call &call, TileOptions options) {
  for (const char *type : {"tile", "view", "arg", "top"})
    replaceAll(text, std::string("$") + type, std::string("!sattn_tile.") + type);
  replaceAll(text, "= tile.", "= sattn_tile.");
  replaceAll(text, "\n tile.", "\n sattn_tile.");
  mlir::DialectRegistry registry;
  registerTileDialect(registry);
  registry
      .insert<mlir::affine::AffineDialect, mlir::arith::ArithDialect, mlir::math::MathDialect, mlir::scf::SCFDialect>();
  return interpretText(text, registry, [&](mlir::ModuleOp module) {
    tile::ProgramOp program = *module.getOps<tile::ProgramOp>().begin();
    return interpretProgram(program, call, [&] { return mlir::emitError(program.getLoc()); }, options);
  });
}

Result runKernel(const std::vector<TestOperand> &operands, const std::string &body, TileOptions options) {
  std::string roles, results, parameters, slices, names, arguments, types;
  Call call;
  auto list = [](std::string &into, const std::string &item) { into += (into.empty() ? "" : ", ") + item; };
  for (const TestOperand &operand : operands) {
    std::string content = "<" + operand.type + ", " + std::to_string(operand.inner) + ">";
    list(operand.array ? roles : results, "{name = \"" + operand.name + "\", axes = [" + operand.axes + "]}");
    list(parameters, "%" + operand.name + "o: $arg" + content);
    slices += " %" + operand.name + "v = tile.slice %" + operand.name + "o[%c0, %c0] : $arg" + content + " -> $view" +
              content + "\n";
    names += " %" + operand.name + " = tile." + (operand.array ? "role" : "result") + " \"" + operand.name +
             "\" : $arg" + content + "\n";
    list(arguments, "%" + operand.name);
    list(types, "$arg" + content);
    if (operand.array)
      call.roles[operand.name] = *operand.array;
  }
  std::string constants;
  for (int i = 0; i < 5; ++i)
    constants += " %c" + std::to_string(i) + " = arith.constant " + std::to_string(i) + " : index\n";
  return runProgram("sattn_tile.program @p attributes {roles = [" + roles + "], results = [" + results + "]} {\n" +
                        " sattn_tile.kernel @k(" + parameters + ") grid(%gx, %gy, %gz) {\n" + constants + slices +
                        body + " sattn_tile.return\n }\n sattn_tile.plan {\n %one = arith.constant 1 : index\n" +
                        names + " sattn_tile.launch @k grid(%one, %one, %one) args(" + arguments + " : " + types +
                        ")\n }\n}",
                    call, options);
}

TestOperand role(const std::string &name, const std::string &axis, int64_t rows, int64_t cols, std::vector<double> data,
                 const std::string &type) {
  return {name, "\"" + axis + "\", \"h\", \"" + std::to_string(cols) + "\"", type, cols,
          array({1, rows, 1, cols}, std::move(data))};
}

TestOperand result(const std::string &name, const std::string &axis, int64_t inner, const std::string &type) {
  return {name, "\"" + axis + "\", \"h\", \"" + std::to_string(inner) + "\"", type, inner, std::nullopt};
}

} // namespace sattn::ref
