// Calls of NVRTC for the functions of a program (UserFunctions.h).
//
// The author's function is an ordinary one of C++; behind its text a line defines what kernels call, under the name of
// functionSymbol, with the types that the pattern declares. So overloads and conversions are C++'s, and where the two
// do not fit the compiler says so at that line.
#include "lib/pipeline/UserFunctions.h"
#include "dialects/tile/Tile.h"
#include "lib/nvidia/Nvrtc.h"
#include "llvm/Support/Path.h"
#include <chrono>

namespace sattn {

static constexpr StringRef adapterName = "sattn.function";

/// One function. The thread reads and writes strings alone, never the op.
struct FunctionCompilation::Job {
  Job(tile::FunctionOp op, StringRef fileName) : op(op), symbol(gpu::functionSymbol(op.getSymName())) {
    llvm::SmallString<128> path(op.getFile().value_or(""));
    if (!path.empty() && llvm::sys::path::is_relative(path)) {
      path = llvm::sys::path::parent_path(fileName);
      llvm::sys::path::append(path, *op.getFile());
    }
    name = path.empty() ? "source of @" + op.getSymName().str() : path.str().str();
    source = op.getSource().value_or("").str() + adapter();
  }

  void compile(const nvidia::Nvrtc &nvrtc, const std::string &target) {
    ok = nvrtc.compile(target, source, name, ptx, messages, problem);
  }

  LogicalResult report() {
    bool anyError = false;
    for (const nvidia::CudaMessage &message : messages) {
      report(message);
      anyError |= message.isError;
    }
    if (!ok && !anyError)
      op.emitError() << "[SA0271] function '@" << op.getSymName() << "' is not compiled: " << problem;
    return success(ok);
  }

  tile::FunctionOp op;
  std::string symbol, name, source; ///< `name` stands for the source in messages
  bool ok = false;
  std::string ptx, problem;
  std::vector<nvidia::CudaMessage> messages;

private:
  std::string adapter() {
    std::string params, arguments;
    for (auto [i, type] : llvm::enumerate(op.getType().getInputs())) {
      std::string argument = "x" + std::to_string(i), comma = i ? ", " : "";
      params += comma + (type.isF32() ? "float " : "int ") + argument;
      arguments += comma + argument;
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
      op.emitError() << "[SA0271] '" << name << "' does not define '" << signature() << "': " << message.text;
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
};

FunctionCompilation::FunctionCompilation(tile::ProgramOp program, StringRef target, StringRef fileName)
    : target(target) {
  for (auto op : program.getBody().getOps<tile::FunctionOp>())
    jobs.push_back(std::make_unique<Job>(op, fileName));
  if (any())
    worker = std::thread([this] { run(); });
}

FunctionCompilation::~FunctionCompilation() {
  if (worker.joinable())
    worker.join();
}

void FunctionCompilation::run() {
  auto start = std::chrono::steady_clock::now();
  nvidia::Nvrtc nvrtc;
  if (!nvrtc.open(problem))
    return;
  for (const std::unique_ptr<Job> &job : jobs)
    job->compile(nvrtc, target);
  elapsed = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

LogicalResult FunctionCompilation::finish(DiagnosticLog &log, SmallVectorImpl<gpu::PtxFunction> &functions) {
  if (worker.joinable())
    worker.join();
  for (const std::unique_ptr<Job> &job : jobs) {
    tile::FunctionOp op = job->op;
    if (!op.getSource())
      return op.emitError() << "[SA0272] the text has no source of function '@" << op.getSymName()
                            << "', only the name '" << op.getFile().value_or("")
                            << "': print the text with it by sparse-attn-opt --emit=pattern";
    if (!problem.empty())
      return op.emitError() << "[SA0270] function '@" << op.getSymName()
                            << "' is in CUDA C++, which NVRTC compiles: " << problem;
    if (op.getFile())
      log.addSource(job->name, *op.getSource());
    if (failed(job->report()))
      return failure();
    functions.push_back({job->symbol, std::move(job->ptx)});
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
