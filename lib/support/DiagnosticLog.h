// Collects the diagnostics of one context while it lives and writes them for people:
//
//   window.mlir:4:10: error: queries have feature axis 'D' but keys have 'Dv': a dot product needs the same axis
//     %z = sattn.score dot %q, %v scale(scale)
//          ^
//   help: ...
#pragma once
#include "lib/support/LLVM.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringMap.h"
#include <string>

namespace sattn {

class DiagnosticLog {
public:
  /// `text` is the source that the locations of `fileName` point into; both must outlive the log.
  DiagnosticLog(MLIRContext &context, StringRef fileName, StringRef text);

  /// The text of another file that locations point into; it is copied.
  void addSource(StringRef name, StringRef text) { others[name] = text.str(); }

  bool hasErrors() const { return errors != 0; }
  /// Errors and warnings as text, each ending with a newline; "" when there were none.
  const std::string &text() const { return written; }
  /// Remarks, one a line without place, in the order of their emission: why a choice was made.
  ArrayRef<std::string> remarks() const { return remarkLines; }

  /// Adds an error that has a place but no context yet.
  void addError(int line, int column, StringRef message);

private:
  void add(mlir::Diagnostic &diagnostic);
  void write(Location location, StringRef severity, StringRef message);
  void write(StringRef file, unsigned line, unsigned column, StringRef severity, StringRef message);

  StringRef fileName, source;
  llvm::StringMap<std::string> others;
  std::string written;
  std::vector<std::string> remarkLines;
  int errors = 0;
  mlir::ScopedDiagnosticHandler handler;
};

/// The message of a diagnostic without the op that MLIR puts before it ("'sattn.score' op "): the place says it.
StringRef withoutOpName(StringRef message);

} // namespace sattn
