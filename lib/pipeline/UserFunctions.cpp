// Calls of NVRTC for the functions of a program (UserFunctions.h).
//
// The author's function is an ordinary one of C++; behind its text a line defines what kernels call, under the name of
// functionSymbol, with the types that the pattern declares. So overloads and conversions are C++'s, and where the two
// do not fit the compiler says so at that line.
#include "lib/pipeline/UserFunctions.h"
#include "dialects/tile/Tile.h"
#include "lib/nvidia/Nvrtc.h"
#include "llvm/Support/Path.h"

namespace sattn {
namespace {

class FunctionCompiler {
public:
  FunctionCompiler(tile::FunctionOp op, StringRef target, StringRef fileName) : op(op), target(target) {
    llvm::SmallString<128> path(op.getFile().value_or(""));
    if (!path.empty() && llvm::sys::path::is_relative(path)) {
      path = llvm::sys::path::parent_path(fileName);
      llvm::sys::path::append(path, *op.getFile());
    }
    sourceName = path.empty() ? "source of @" + op.getSymName().str() : path.str().str();
  }

  FailureOr<gpu::PtxFunction> run(const nvidia::Nvrtc &nvrtc) {
    gpu::PtxFunction function{gpu::functionSymbol(op.getSymName()), ""};
    std::vector<nvidia::CudaMessage> messages;
    std::string problem;
    bool ok = nvrtc.compile(target.str(), op.getSource()->str() + adapter(function.symbol), sourceName, function.ptx,
                            messages, problem);
    bool anyError = false;
    for (const nvidia::CudaMessage &message : messages) {
      report(message);
      anyError |= message.isError;
    }
    if (ok)
      return function;
    if (!anyError)
      op.emitError() << "[SA0271] function '@" << op.getSymName() << "' is not compiled: " << problem;
    return failure();
  }

  std::string sourceName; ///< of the source in messages

private:
  static constexpr StringRef adapterName = "sattn.function";

  std::string adapter(StringRef symbol) {
    std::string params, arguments;
    for (auto [i, type] : llvm::enumerate(op.getType().getInputs())) {
      std::string name = "x" + std::to_string(i), comma = i ? ", " : "";
      params += comma + (type.isF32() ? "float " : "int ") + name;
      arguments += comma + name;
    }
    return ("\n#line 1 \"" + adapterName + "\"\nextern \"C\" __device__ float " + symbol + "(" + params +
            ") { return ::" + op.getSymName() + "(" + arguments + "); }\n")
        .str();
  }

  std::string signature() {
    std::string params;
    for (Type type : op.getType().getInputs())
      params += (params.empty() ? "" : ", ") + std::string(type.isF32() ? "float" : "int");
    return "float " + op.getSymName().str() + "(" + params + ")";
  }

  void report(const nvidia::CudaMessage &message) {
    if (message.file == adapterName) {
      op.emitError() << "[SA0271] '" << sourceName << "' does not define '" << signature() << "': " << message.text;
      return;
    }
    bool isFile = op.getFile().has_value();
    Location place = isFile ? Location(mlir::FileLineColLoc::get(op.getContext(), message.file, message.line,
                                                                 std::max(message.column, 1u)))
                            : op.getLoc();
    InFlightDiagnostic diagnostic = message.isError ? emitError(place) : emitWarning(place);
    diagnostic << "[SA0271] ";
    if (!isFile)
      diagnostic << "line " << message.line << ", column " << message.column << " of the source: ";
    diagnostic << message.text;
  }

  tile::FunctionOp op;
  StringRef target;
};
} // namespace

LogicalResult compileFunctions(tile::ProgramOp program, StringRef target, StringRef fileName, DiagnosticLog &log,
                               SmallVectorImpl<gpu::PtxFunction> &functions) {
  nvidia::Nvrtc nvrtc;
  for (auto op : program.getBody().getOps<tile::FunctionOp>()) {
    if (!op.getSource())
      return op.emitError() << "[SA0272] the text has no source of function '@" << op.getSymName()
                            << "', only the name '" << op.getFile().value_or("")
                            << "': print the text with it by sparse-attn-opt --emit=pattern";
    std::string problem;
    if (functions.empty() && !nvrtc.open(problem))
      return op.emitError() << "[SA0270] function '@" << op.getSymName()
                            << "' is in CUDA C++, which NVRTC compiles: " << problem;
    FunctionCompiler compiler(op, target, fileName);
    if (op.getFile())
      log.addSource(compiler.sourceName, *op.getSource());
    FailureOr<gpu::PtxFunction> function = compiler.run(nvrtc);
    if (failed(function))
      return failure();
    functions.push_back(std::move(*function));
  }
  return success();
}

void reportFunctions(tile::ProgramOp program, ArrayRef<gpu::LinkedFunction> functions) {
  for (auto [op, function] : llvm::zip(program.getBody().getOps<tile::FunctionOp>(), functions)) {
    InFlightDiagnostic remark = op.emitRemark() << "function '@" << op.getSymName() << "' ";
    if (function.called.empty())
      remark << "is inlined: " << function.instructions << " instructions at " << function.calls << " calls";
    else
      remark << "is called, not inlined, at " << function.calls << " places: " << function.called;
  }
}

} // namespace sattn
