// Selections: running top-k, overlap pooling, inverted lists.
#ifndef SATTN_TILE_SELECT
#define SATTN_TILE_SELECT

include "dialects/tile/TileStructure.td"

def PoolOp : Tile_Op<"pool", [Pure, AllTypesMatch<["halo", "newHalo"]>]> {
  let summary = "strided weighted column sums with columns carried over from the previous tile";
  let description = [{
    With H halo columns, weights w_0..w_{n-1} and stride q: over x' = [halo, x] the result is
    y[r, j] = sum_i w_i * x'[r, q*j + i] for j = 0 .. C/q - 1, where the columns of x' past the tile are 0 and belong to the
    next tile's halo: the window of y[., j] must end inside x', that is n <= H + q. `newHalo` is the last H columns of x.
  }];
  let arguments = (ins AnyTile:$x, AnyTile:$halo, DenseF32ArrayAttr:$weights, I64Attr:$stride);
  let results = (outs AnyTile:$y, AnyTile:$newHalo);
  let assemblyFormat = "$x `,` $halo `weights` $weights `stride` $stride attr-dict `:` type($x) `,` type($halo) `->` type($y)";
  let hasVerifier = 1;
}
def TopInitOp : Tile_Op<"top_init", [Pure]> {
  let summary = "an empty running top-k";
  let results = (outs AnyTop:$top);
  let assemblyFormat = "attr-dict `:` type($top)";
}
def TopPushOp : Tile_Op<"top_push", [Pure, AllTypesMatch<["top", "result"]>]> {
  let summary = "offers the columns of a score tile; column c has id `first` + c";
  let description = [{
    Keeps the k best of the total order (forced, score descending, id ascending). A score of -inf never enters; NaN enters
    by force only, and ranks as -inf.
    `forced` are integer sets over dims (t, c) and the symbols, row r standing at t = `row` + rowMap(r): a visible column in
    one of them ranks above all others and counts inside k.
  }];
  let arguments = (ins AnyTop:$top, AnyTile:$scores, Index:$first, Index:$row, Variadic<Index>:$symbols,
                       ArrayAttr:$forced, AffineMapAttr:$row_map);
  let results = (outs AnyTop:$result);
  let assemblyFormat = "$top `,` $scores `ids` `(` $first `)` `rows` `(` $row `)` `symbols` `(` $symbols `)` attr-dict `:` type($top) `,` type($scores)";
  let hasVerifier = 1;
}
def TopMassOp : Tile_Op<"top_mass", [Pure, AllTypesMatch<["top", "result"]>]> {
  let summary = "keeps the best of a running top-k up to a sum of scores";
  let description = [{
    In the order of ranks, best first: an entry stays if it is forced, or if the scores of all before it, added up in this
    order, do not reach `mass`. Scores that are negative, -inf of entries without a number among them, count as 0. What
    stays are the first ranks.

    Example: `%kept = sattn_tile.top_mass %top to(%mass) : !sattn_tile.top<16x8>`
  }];
  let arguments = (ins AnyTop:$top, F32:$mass);
  let results = (outs AnyTop:$result);
  let assemblyFormat = "$top `to` `(` $mass `)` attr-dict `:` type($top)";
}
def TopListOp : Tile_Op<"top_list", [Pure]> {
  let summary = "ids in ascending order, -1 padded at the end, and their scores (-inf where padded)";
  let arguments = (ins AnyTop:$top);
  let results = (outs AnyTile:$ids, AnyTile:$scores);
  let assemblyFormat = "$top attr-dict `:` type($top) `->` type($ids) `,` type($scores)";
  let hasVerifier = 1;
}
def InvertOp : Tile_Op<"invert", [MemoryEffects<[MemRead]>, AttrSizedOperandSegments]> {
  let summary = "turns around the lists of positions `position` .. `position` + count - 1 of a view of ids";
  let description = [{
    For each unit id that occurs, ascending, its members: the positions whose list holds it, ascending, with the slot. Ids
    below 0 or at or beyond `units` are ignored, and so are positions outside the view. Lists are ascending, ids that are
    ignored last; `unordered` ones are not, and repeat ids, of which one counts. With `flags` the ids are the numbers of
    the elements that are not 0. With `base` the unit of an id is id - base.

    With `starts` lists lie one after the other in position 0 of the view: that of position p from element starts[p] up to
    element starts[p + 1], or the last one. Bounds outside are cut, a list that ends before it begins is empty.
  }];
  let arguments = (ins AnyView:$lists, Index:$position, Optional<AnyView>:$starts, Index:$units,
                       Optional<Index>:$base, I64Attr:$count,
                       UnitAttr:$unordered, UnitAttr:$flags);
  let results = (outs Inverse:$inverse);
  let assemblyFormat = "$lists `[` $position `]` (`starts` $starts^)? `count` $count `units` `(` $units `)` (`base` $base^)? (`unordered` $unordered^)? (`flags` $flags^)? attr-dict `:` type($lists) (`,` type($starts)^)?";
  let hasVerifier = 1;
}
def TopRowOp : Tile_Op<"top_row", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "the best of one row of numbers in memory, as an ascending list";
  let description = [{
    Number i of the row is element i mod C of position i floordiv C of `scores`, a view of C columns; those of positions
    `from` .. `to` - 1 take part. Writes the `count` best of the total order (forced, number descending, i ascending)
    to the positions of `ids` in ascending order, and -1 to those behind them. -inf never enters; NaN enters by force
    only, and ranks as -inf. `forced` are integer sets over dims (t, i) and the symbols; the row stands at t = `row`.
    Both views are contiguous, as workspaces are, and `ids` has at least `count` + 16 positions, so that a target may
    write whole groups of them.

    Example: `sattn_tile.top_row %scores[%lo to %hi] count(%n) rows(%t) symbols() into %ids {forced = []}
    : !sattn_tile.view<f32, 64>, !sattn_tile.view<i32, 1>`
  }];
  let arguments = (ins AnyView:$scores, Index:$from, Index:$to, Index:$count, Index:$row, Variadic<Index>:$symbols,
                       AnyView:$ids, ArrayAttr:$forced);
  let assemblyFormat = "$scores `[` $from `to` $to `]` `count` `(` $count `)` `rows` `(` $row `)` `symbols` `(` $symbols `)` `into` $ids attr-dict `:` type($scores) `,` type($ids)";
  let hasVerifier = 1;
}
def MembersOp : Tile_Op<"members", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "the ids of a list as bits, which masks of tiles read";
  let description = [{
    Bit i of number w of `words` becomes 1 where list `position` of the view holds the id w * per + i, and 0 elsewhere.
    Ids rise; the first one that is below 0, or whose word is behind the view, ends the list. `words` is contiguous, and a
    multiple of 16 positions.

    Example: `sattn_tile.members %lists[%row] per 8 into %words : !sattn_tile.view<i32, 64>, !sattn_tile.view<i32, 1>`
  }];
  let arguments = (ins AnyView:$lists, Index:$position, I64Attr:$per, AnyView:$words);
  let assemblyFormat = "$lists `[` $position `]` `per` $per `into` $words attr-dict `:` type($lists) `,` type($words)";
  let hasVerifier = 1;
}
def LengthOp : Tile_Op<"length", [MemoryEffects<[MemRead]>]> {
  let summary = "how many ids of a list come before its first -1";
  let description = [{
    A list stands at the positions of a contiguous view from 0 on, and the view has a multiple of 16 of them.
  }];
  let arguments = (ins AnyView:$ids);
  let results = (outs Index:$length);
  let assemblyFormat = "$ids attr-dict `:` type($ids)";
  let hasVerifier = 1;
}

#endif
