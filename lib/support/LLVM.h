// Imports the names of MLIR and LLVM that every file uses into namespace sattn, so that our code neither lives
// in mlir:: nor opens it with `using namespace` in headers.
#pragma once
#include "mlir/IR/Location.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Operation.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Support/LLVM.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

namespace sattn {
using llvm::ArrayRef;
using llvm::cast;
using llvm::dyn_cast;
using llvm::dyn_cast_or_null;
using llvm::isa;
using llvm::SmallVector;
using llvm::SmallVectorImpl;
using llvm::StringRef;
using llvm::Twine;

using mlir::Attribute;
using mlir::Block;
using mlir::emitError;
using mlir::failed;
using mlir::failure;
using mlir::FailureOr;
using mlir::InFlightDiagnostic;
using mlir::Location;
using mlir::LogicalResult;
using mlir::MLIRContext;
using mlir::Operation;
using mlir::OwningOpRef;
using mlir::ParseResult;
using mlir::Region;
using mlir::succeeded;
using mlir::success;
using mlir::Type;
using mlir::Value;
using mlir::ValueRange;
} // namespace sattn
