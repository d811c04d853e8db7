// Names and table loads of a value formula, for the elements of a tile of scores: positions and heads are numbers that
// count along its rows and columns, a table is one number for each row, for each key or for all.
//
// What belongs to rows is made once, before the keys are streamed (RowValues); what belongs to keys for each tile of
// them. A sum of positions is computed as index arithmetic of the first row and key plus small numbers, so that
// differences of large positions lose nothing: t - s = (t0 - s0) + r - c.
#pragma once
#include "lib/transforms/kernels/Tables.h"

namespace sattn::lower {

/// Refuses what is not compiled in the formula of a map of scores, for tiles that hold `heads` query heads.
LogicalResult checkPlaces(Context &context, MapOp map, int64_t heads);
/// True if the formula mentions more than the score and params.
bool readsPlaces(Context &context, MapOp map);
/// Whether the formula reads a number that differs from row to row, or of positions at all: more than params and tables
/// of keys and heads.
bool readsRows(Context &context, MapOp map);

/// Row values of maps, by what they stand for: numbers that count, or a load.
using RowValues = llvm::DenseMap<std::pair<Operation *, ExprAttr>, Value>;
/// Leaves of the formula of `map`, which checkPlaces has accepted, that tiles of `heads` heads have a row value for,
/// with the type of its elements.
SmallVector<std::pair<ExprAttr, Type>> rowLeaves(Task &task, MapOp map, int64_t heads);
/// Adds their values. Numbers that count begin with `ahead` at the first row of `rows`.
void addRowValues(Task &task, const Rows &rows, MapOp map, RowValues &values, Value ahead = {});

/// `map` of a tile of scores, times the literal `factor`.
Value mapTile(Task &task, const Rows &rows, const Columns &columns, MapOp map, const RowValues &values, Value scores,
              double factor);

} // namespace sattn::lower
