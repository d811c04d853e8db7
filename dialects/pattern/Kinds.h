// Plain enums of the formula language, kept apart because the generated attribute classes mention them.
#pragma once
#include "llvm/ADT/StringRef.h"
#include <cstdint>

namespace sattn {

/// Nodes of a formula. Strict comparisons are stored as `Le` over integers: `a < b` is `a + 1 <= b`.
enum class ExprKind : uint32_t {
  Int,
  Float,
  Name,
  Table,
  Call,
  Neg,
  Add,
  Sub,
  Mul,
  Div,
  FloorDiv,
  Mod,
  Le,
  Eq,
  And,
  Or,
  Not
};

/// What the first letter of an axis or position name stands for.
enum class AxisKind : uint32_t {
  Rows,       ///< t: query rows
  RowBlocks,  ///< u: blocks of query rows
  Keys,       ///< s: key tokens
  KeyBlocks,  ///< c: blocks of keys
  QueryHeads, ///< h
  KvHeads,    ///< g
  Features,   ///< D...
  Fixed,      ///< a number
  Unknown     ///< any other name
};

/// Kind of an axis name: a letter of `t u s c h g` with optional digits, or any name that begins with `D`.
AxisKind axisKindOf(llvm::StringRef name);
/// True for names that params cannot take: axis names, the score `z`, and the words of the formula grammar.
bool isReservedName(llvm::StringRef name);

} // namespace sattn
