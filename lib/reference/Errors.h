// How the reference reports: the first error of a call is emitted, later ones that follow from it stay silent.
#pragma once
#include "lib/support/LLVM.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace sattn::ref {

class Errors {
public:
  explicit Errors(llvm::function_ref<InFlightDiagnostic()> emit) : emit(emit) {}

  /// Marks the call as failed; the diagnostic is live only the first time.
  InFlightDiagnostic fail() {
    if (any)
      return InFlightDiagnostic();
    any = true;
    return emit();
  }
  bool occurred() const { return any; }

private:
  llvm::function_ref<InFlightDiagnostic()> emit;
  bool any = false;
};

} // namespace sattn::ref
