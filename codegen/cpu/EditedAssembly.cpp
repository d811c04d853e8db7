// Assembly that a developer edited, to objects, with LLVM's assembler inside this process. The text is what --dump-dir
// wrote as 4-cpu.s; only directives that stand in such a text are taken, because others read files, repeat without end
// or reserve memory.
#include "codegen/cpu/EditedText.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/MC/MCAsmBackend.h"
#include "llvm/MC/MCAsmInfo.h"
#include "llvm/MC/MCCodeEmitter.h"
#include "llvm/MC/MCContext.h"
#include "llvm/MC/MCInstrInfo.h"
#include "llvm/MC/MCObjectFileInfo.h"
#include "llvm/MC/MCObjectWriter.h"
#include "llvm/MC/MCParser/MCAsmParser.h"
#include "llvm/MC/MCParser/MCTargetAsmParser.h"
#include "llvm/MC/MCStreamer.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/MCSymbol.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Target/TargetMachine.h"

using namespace sattn;
using namespace sattn::cpu;

// The largest first operand of a directive: 0 where it may be anything; none where the directive is not taken.
static std::optional<unsigned> directiveLimit(StringRef name) {
  return llvm::StringSwitch<std::optional<unsigned>>(name)
      .Cases({".file", ".text", ".section", ".globl", ".type", ".size"}, 0)
      .Cases({".byte", ".short", ".long", ".quad", ".ident", ".addrsig"}, 0)
      .Case(".p2align", 12)
      .Case(".zero", 1u << 16)
      .Default(std::nullopt);
}

// What is wrong with a statement: a label, then a directive or an instruction.
static std::string checkStatement(StringRef statement) {
  statement = statement.trim();
  for (size_t colon; (colon = statement.find(':')) != StringRef::npos && !statement.take_front(colon).contains('"');) {
    if (llvm::any_of(statement.take_front(colon), [](char c) { return llvm::isSpace(c); }))
      break;
    statement = statement.drop_front(colon + 1).ltrim();
  }
  if (!statement.starts_with("."))
    return "";
  StringRef name = statement.take_until([](char c) { return llvm::isSpace(c); });
  std::optional<unsigned> limit = directiveLimit(name);
  if (!limit)
    return "[SA0260] directive '" + name.str() + "' is not taken: the compiler never writes it, remove it";
  StringRef operand = statement.drop_front(name.size()).split(',').first.trim();
  unsigned value = 0;
  if (*limit != 0 && (operand.getAsInteger(10, value) || value > *limit))
    return "[SA0260] directive '" + name.str() + "' takes a number up to " + std::to_string(*limit);
  return "";
}

static std::optional<TextProblem> checkDirectives(StringRef text) {
  TextProblem problem;
  for (StringRef line : llvm::split(text, '\n')) {
    SmallVector<StringRef> statements;
    line.split('#').first.split(statements, ';');
    for (StringRef statement : statements)
      if (problem.message = checkStatement(statement); !problem.message.empty())
        return problem;
    ++problem.line;
  }
  return std::nullopt;
}

namespace {
/// The assembler of a level for one part of a text. Members are made in the order in which they need each other.
class Assembler {
public:
  Assembler(const llvm::TargetMachine &machine, const std::string &part, Object &object)
      : machine(machine), target(machine.getTarget()), object(object) {
    sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBuffer(part, "kernel"), llvm::SMLoc());
    sources.setDiagHandler(keepFirst, this);
  }

  /// What is wrong with the part, or nothing: then the object is there and `defined` has its symbols.
  std::optional<TextProblem> run(ArrayRef<CompiledKernel> kernels, llvm::StringSet<> &defined) {
    const llvm::Triple &triple = machine.getTargetTriple();
    // Functions are compiled with the tuning of a generic processor, which pads with the longest of all nops.
    std::unique_ptr<llvm::MCSubtargetInfo> owned(target.createMCSubtargetInfo(
        triple, machine.getTargetCPU(), (machine.getTargetFeatureString() + ",+fast-15bytenop").str()));
    const llvm::MCSubtargetInfo &subtarget = *owned;
    const llvm::MCInstrInfo &instructions = *machine.getMCInstrInfo();
    const llvm::MCRegisterInfo &registers = *machine.getMCRegisterInfo();
    llvm::MCTargetOptions options;
    llvm::MCContext context(triple, machine.getMCAsmInfo(), &registers, &subtarget, &sources, &options);
    context.setDiagnosticHandler([this](const llvm::SMDiagnostic &found, bool, const llvm::SourceMgr &,
                                        std::vector<const llvm::MDNode *> &) { keepFirst(found, this); });
    std::unique_ptr<llvm::MCObjectFileInfo> files(target.createMCObjectFileInfo(context, /*PIC=*/true));
    context.setObjectFileInfo(files.get());
    llvm::SmallVector<char, 0> bytes;
    llvm::raw_svector_ostream stream(bytes);
    std::unique_ptr<llvm::MCAsmBackend> backend(target.createMCAsmBackend(subtarget, registers, options));
    std::unique_ptr<llvm::MCObjectWriter> writer = backend->createObjectWriter(stream);
    std::unique_ptr<llvm::MCCodeEmitter> emitter(target.createMCCodeEmitter(instructions, context));
    std::unique_ptr<llvm::MCStreamer> streamer(target.createMCObjectStreamer(
        triple, context, std::move(backend), std::move(writer), std::move(emitter), subtarget));
    std::unique_ptr<llvm::MCAsmParser> parser(
        llvm::createMCAsmParser(sources, context, *streamer, *machine.getMCAsmInfo()));
    std::unique_ptr<llvm::MCTargetAsmParser> targetParser(
        target.createMCAsmParser(subtarget, *parser, instructions, options));
    parser->setTargetParser(*targetParser);
    if ((parser->Run(/*NoInitialTextSection=*/false) || context.hadError()) && !problem)
      problem = TextProblem{1, 1, std::string("[SA0256] the text is refused: ") + "no reason given"};
    for (const CompiledKernel &kernel : kernels)
      if (llvm::MCSymbol *symbol = context.lookupSymbol(kernel.symbol); symbol && symbol->isDefined())
        defined.insert(kernel.symbol);
    object.bytes.assign(bytes.begin(), bytes.end());
    return problem;
  }

private:
  static void keepFirst(const llvm::SMDiagnostic &found, void *self) {
    std::optional<TextProblem> &problem = static_cast<Assembler *>(self)->problem;
    if (!problem && found.getKind() == llvm::SourceMgr::DK_Error)
      problem = TextProblem{unsigned(std::max(found.getLineNo(), 1)), unsigned(found.getColumnNo() + 1),
                            "[SA0256] the text is refused: " + found.getMessage().str()};
  }

  const llvm::TargetMachine &machine;
  const llvm::Target &target;
  Object &object;
  llvm::SourceMgr sources;
  std::optional<TextProblem> problem;
};
} // namespace

FailureOr<std::vector<Object>> sattn::cpu::assembleAssembly(MLIRContext &context, const EditedText &edited,
                                                            ArrayRef<CompiledKernel> kernels, const Atom &atom) {
  std::string error;
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(atom, error);
  std::optional<TextProblem> problem = checkLimits(edited.text, '#');
  if (!problem)
    problem = checkDirectives(edited.text);
  std::vector<Object> objects;
  llvm::StringSet<> defined;
  for (const std::string &part : problem ? std::vector<std::string>() : partsOf(edited.text, assemblyMark)) {
    Object &object = objects.emplace_back();
    if (failed(guarded([&] { problem = Assembler(*machine, part, object).run(kernels, defined); }, error)))
      problem = TextProblem{1, 1, "[SA0259] LLVM cannot assemble this text: " + error};
    if (problem)
      return refuse(context, edited.name, *problem);
  }
  if (problem)
    return refuse(context, edited.name, *problem);
  if (failed(checkDefined(context, edited, kernels, [&](StringRef symbol) { return defined.contains(symbol); })))
    return failure();
  return objects;
}
