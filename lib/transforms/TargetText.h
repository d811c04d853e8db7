// TargetInfo as text, for pass options and remarks: "rowTile=64,keyTile=64,keyLayout=rows:4".
#pragma once
#include "lib/support/LLVM.h"
#include "lib/support/TargetInfo.h"
#include <string>

namespace sattn {

/// Overwrites the fields that `text` names. Layouts are `rows:WIDTH`, `cols:WIDTH` or `none`. Fails with `error` set
/// for unknown fields and values that are no numbers.
LogicalResult parseTargetText(StringRef text, TargetInfo &info, std::string &error);
/// Every field, so that parseTargetText gives the same target again.
std::string targetText(const TargetInfo &info);

} // namespace sattn
