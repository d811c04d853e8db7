// A pattern parsed into a context of the tool's own, for the oracle and for counting work. The compiler library has its
// own contexts; nothing of MLIR passes between the two.
#pragma once
#include "dialects/pattern/Pattern.h"
#include "mlir/IR/BuiltinOps.h"
#include <string>

namespace sattn::tool {

class PatternModule {
public:
  /// Parses and verifies; on failure pattern() is null and error() says why, with places.
  PatternModule(const std::string &path, const std::string &text);

  PatternOp pattern() const { return op; }
  const std::string &error() const { return message; }
  MLIRContext &context() { return *mlirContext; }

private:
  std::unique_ptr<MLIRContext> mlirContext;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  PatternOp op;
  std::string message;
};

} // namespace sattn::tool
