// What the unit tests of the pattern dialect share: a context with the dialect, parsing, captured messages.
#pragma once
#include "dialects/pattern/Pattern.h"
#include "mlir/AsmParser/AsmParser.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include <doctest/doctest.h>

namespace sattn::test {

struct Fixture {
  Fixture() {
    mlir::DialectRegistry registry;
    registerPatternDialect(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    handler = context.getDiagEngine().registerHandler([this](mlir::Diagnostic &d) { messages.push_back(d.str()); });
  }
  ~Fixture() { context.getDiagEngine().eraseHandler(handler); }

  /// `#sattn.expr<text>`; comparisons are words in it.
  ExprAttr expr(const std::string &text) {
    return llvm::dyn_cast_or_null<ExprAttr>(mlir::parseAttribute("#sattn.expr<" + text + ">", &context));
  }
  OwningOpRef<mlir::ModuleOp> module(const std::string &text) {
    return mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  }
  std::string lastMessage() const { return messages.empty() ? "" : messages.back(); }

  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  std::vector<std::string> messages;
  mlir::DiagnosticEngine::HandlerID handler;
};

} // namespace sattn::test
