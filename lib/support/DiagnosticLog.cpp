// Formatting of diagnostics: place, message, source line with a caret, notes, help.
#include "lib/support/DiagnosticLog.h"
#include "mlir/IR/Location.h"
#include "llvm/ADT/StringExtras.h"

using namespace sattn;
using mlir::Diagnostic;
using mlir::DiagnosticSeverity;

// At most this much of a source line is shown, around the place.
static constexpr size_t maxShown = 160;

DiagnosticLog::DiagnosticLog(MLIRContext &context, StringRef fileName, StringRef text)
    : fileName(fileName), source(text), handler(&context, [this](Diagnostic &diagnostic) {
        add(diagnostic);
        return success();
      }) {}

StringRef sattn::withoutOpName(StringRef message) {
  StringRef rest = message;
  rest.consume_front("custom op ");
  if (!rest.consume_front("'"))
    return message;
  size_t end = rest.find('\'');
  if (end == StringRef::npos || !rest.take_front(end).contains('.'))
    return message;
  rest = rest.drop_front(end + 1);
  bool isOp = rest.consume_front(" op ") || (message.starts_with("custom op ") && rest.consume_front(" "));
  return isOp && !rest.empty() ? rest : message;
}

static mlir::FileLineColLoc placeOf(Location location) {
  mlir::FileLineColLoc place;
  location->walk([&](Location part) {
    place = dyn_cast<mlir::FileLineColLoc>(part);
    return place ? mlir::WalkResult::interrupt() : mlir::WalkResult::advance();
  });
  return place;
}

void DiagnosticLog::add(Diagnostic &diagnostic) {
  if (diagnostic.getSeverity() == DiagnosticSeverity::Remark) {
    remarkLines.push_back(withoutOpName(diagnostic.str()).str());
    return;
  }
  bool isError = diagnostic.getSeverity() == DiagnosticSeverity::Error;
  errors += isError;
  std::string message = diagnostic.str();
  write(diagnostic.getLocation(), isError ? "error" : "warning", withoutOpName(message));
  for (Diagnostic &note : diagnostic.getNotes()) {
    std::string text = note.str();
    if (StringRef(text).starts_with("help: "))
      written += text + "\n";
    else
      write(note.getLocation(), "note", text);
  }
}

void DiagnosticLog::addError(int line, int column, StringRef message) {
  ++errors;
  write(fileName, line, column, "error", message);
}

void DiagnosticLog::write(Location location, StringRef severity, StringRef message) {
  if (mlir::FileLineColLoc place = placeOf(location))
    write(place.getFilename().getValue(), place.getLine(), place.getColumn(), severity, message);
  else
    written += (fileName + ": " + severity + ": " + message + "\n").str();
}

void DiagnosticLog::write(StringRef file, unsigned line, unsigned column, StringRef severity, StringRef message) {
  written += (file + ":" + Twine(line) + ":" + Twine(column) + ": " + severity + ": " + message + "\n").str();
  auto other = others.find(file);
  if ((file != fileName && other == others.end()) || line == 0)
    return;
  StringRef rest = file == fileName ? source : StringRef(other->second);
  for (unsigned skipped = 1; skipped < line && !rest.empty(); ++skipped)
    rest = rest.drop_front(std::min(rest.find('\n'), rest.size() - 1) + 1);
  StringRef shown = rest.take_until([](char c) { return c == '\n' || c == '\r'; });
  size_t at = column == 0 ? 0 : column - 1;
  if (at > shown.size())
    return;
  if (shown.size() > maxShown) {
    size_t start = at > maxShown / 2 ? at - maxShown / 2 : 0;
    shown = shown.substr(start, maxShown);
    at -= start;
  }
  std::string caret;
  for (char c : shown.take_front(at))
    caret += c == '\t' ? '\t' : ' ';
  for (char c : shown)
    written += llvm::isPrint(c) || c == '\t' || (c & 0x80) ? c : '?';
  written += "\n" + caret + "^\n";
}
