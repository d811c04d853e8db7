// Limits, parser, verifier.
#include "tools/sparse-attn/PatternModule.h"
#include "dialects/pattern/SourceLimits.h"
#include "lib/support/DiagnosticLog.h"
#include "mlir/Parser/Parser.h"

using namespace sattn;
using namespace sattn::tool;

PatternModule::PatternModule(const std::string &path, const std::string &text) {
  mlir::DialectRegistry registry;
  registerPatternDialect(registry);
  mlirContext = std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
  mlirContext->printOpOnDiagnostic(false); // the log shows the source line
  DiagnosticLog log(*mlirContext, path, text);
  if (succeeded(checkSourceLimits(mlirContext.get(), text, path))) {
    mlir::ParserConfig config(mlirContext.get());
    module = mlir::parseSourceString<mlir::ModuleOp>(text, config, path);
  }
  if (module)
    for (PatternOp pattern : module->getOps<PatternOp>())
      op = op ? op : pattern;
  message = log.text();
  if (!op && message.empty())
    message = path + ": error: there is no sattn.pattern in this text\n";
}
