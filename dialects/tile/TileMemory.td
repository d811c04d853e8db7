// Slices, loads, stores, gathers and private workspaces.
#ifndef SATTN_TILE_MEMORY
#define SATTN_TILE_MEMORY

include "dialects/tile/TileStructure.td"

def SliceOp : Tile_Op<"slice", [Pure, AttrSizedOperandSegments]> {
  let summary = "the rows of one batch entry and one head (or of the group of heads head*G ..)";
  let description = [{
    With `limit` positions at or beyond it count as outside. In a view of `group = G` the head index counts groups.
    With `column` the view starts at that inner element and may be narrower than the operand: one gate of three.
    With `every m from r` position i of the view is position r + m*i of the operand: one class of residues. With
    `repeat` every position of the view is position 0 of the operand: one number a head, for all rows.
    With `across` positions and heads change places: the operand `head` is a position, and the positions of the view are
    the heads there.
    With `paged T by P` the operand is a pool of pages: its batch entries are pages of P positions, and T holds for each
    batch entry of the call the numbers of its pages. Position p is then position p mod P of page T[batch][p floordiv P].
    It is outside where T has no such entry or the entry names no page of the pool. Such a view is only read.

    ```
    %k = sattn_tile.slice %pool[%b, %h] limit %n paged %pages by 64
        : !sattn_tile.arg<f32, 128> -> !sattn_tile.view<f32, 128>
    ```
  }];
  let arguments = (ins AnyArg:$arg, Index:$batch, Index:$head, Optional<Index>:$limit, Optional<Index>:$from,
                       Optional<PageTable>:$pages, OptionalAttr<I64Attr>:$every, OptionalAttr<I64Attr>:$column,
                       UnitAttr:$repeat, UnitAttr:$across, OptionalAttr<I64Attr>:$page);
  let results = (outs AnyView:$view);
  let assemblyFormat = "$arg `[` $batch `,` $head `]` (`across` $across^)? (`limit` $limit^)? (`every` $every^ `from` $from)? (`column` $column^)? (`repeat` $repeat^)? (`paged` $pages^ `by` $page)? attr-dict `:` type($arg) `->` type($view)";
  let hasVerifier = 1;
}
def PrivateOp : Tile_Op<"private"> {
  let summary = "memory of one task: `positions` x group rows, read and written in program order";
  let arguments = (ins I64Attr:$positions);
  let results = (outs AnyView:$view);
  let assemblyFormat = "$positions attr-dict `:` type($view)";
  let hasVerifier = 1;
}
def LoadOp : Tile_Op<"load", [MemoryEffects<[MemRead]>]> {
  let summary = "a tile of consecutive positions from a view; rows outside the view read as 0";
  let description = [{
    The element type of the tile may be wider than that of the view. A tile of a row vector reads a view of inner extent 1,
    and so does a tile of one row `tile<1xC>`, whose columns are then C consecutive positions of one head.
    With `turned` the columns are consecutive positions of a view of inner extent 1, and the rows are the heads of its
    group, each as often as the group divides the rows: neighbours, or with `outer` far apart as elsewhere.
    A view with a layout is read at positions of whole blocks; its rows past a `limit` hold what was stored there, so
    they must be masked.
  }];
  let arguments = (ins AnyView:$view, Index:$position, UnitAttr:$turned);
  let results = (outs AnyTile:$tile);
  let assemblyFormat = "$view `[` $position `]` (`turned` $turned^)? attr-dict `:` type($view) `->` type($tile)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Whether positions are the columns of a tile of one row.
    bool getColumns() {
      ::sattn::tile::TileType tile = getTile().getType();
      ::sattn::tile::ViewType view = getView().getType();
      return !getTurned() && !tile.isVector() && tile.getRows() == 1 && tile.getCols() > 1 && view.getInner() == 1 &&
             view.getGroup() == 1 && !view.getLayout();
    }
  }];
}
def StoreOp : Tile_Op<"store", [MemoryEffects<[MemWrite]>]> {
  let summary = "writes a tile at consecutive positions; rows outside the view are dropped";
  let description = [{
    Float32 rounds to nearest even where the view is narrower. Into a view with a layout whole blocks are written, so
    that rows past the end hold the tile's (zero) rows.
  }];
  let arguments = (ins AnyTile:$tile, AnyView:$view, Index:$position);
  let assemblyFormat = "$tile `,` $view `[` $position `]` attr-dict `:` type($tile) `,` type($view)";
  let hasVerifier = 1;
}
def PrefetchOp : Tile_Op<"prefetch"> {
  let summary = "a hint that `count` consecutive positions of a view are read soon; it changes nothing, wherever they lie";
  let description = [{
    For rows that no processor can foresee: the next block of a list.

    ```
    sattn_tile.prefetch %k[%at] count 16 : !sattn_tile.view<bf16, 64>
    ```
  }];
  let arguments = (ins AnyView:$view, Index:$position, I64Attr:$count);
  let assemblyFormat = "$view `[` $position `]` `count` $count attr-dict `:` type($view)";
  let hasVerifier = 1;
}
def GatherOp : Tile_Op<"gather", [MemoryEffects<[MemRead]>]> {
  let summary = "a tile of listed positions: row block i holds position base + ids[i]; id < 0 or outside reads as 0";
  let arguments = (ins AnyView:$view, Index:$base, AnyTile:$ids);
  let results = (outs AnyTile:$tile);
  let assemblyFormat = "$view `[` $base `+` $ids `]` attr-dict `:` type($view) `,` type($ids) `->` type($tile)";
  let hasVerifier = 1;
}
def ScatterOp : Tile_Op<"scatter", [MemoryEffects<[MemWrite]>]> {
  let summary = "writes row block i of a tile at position base + ids[i]; id < 0 or outside is dropped; ids are unique";
  let arguments = (ins AnyTile:$tile, AnyView:$view, Index:$base, AnyTile:$ids);
  let assemblyFormat = "$tile `,` $view `[` $base `+` $ids `]` attr-dict `:` type($tile) `,` type($view) `,` type($ids)";
  let hasVerifier = 1;
}
def GatherAtOp : Tile_Op<"gather_at", [MemoryEffects<[MemRead]>]> {
  let summary = "one element of each listed row: element slots[i] of position base + ids[i], for each head of the group";
  let description = [{
    An id or slot that is negative or outside reads as 0. Where the tile has R times as many rows as there are elements,
    each element fills R consecutive rows: heads that share a row of weights.
  }];
  let arguments = (ins AnyView:$view, Index:$base, AnyTile:$ids, AnyTile:$slots);
  let results = (outs AnyTile:$tile);
  let assemblyFormat = "$view `[` $base `+` $ids `,` $slots `]` attr-dict `:` type($view) `,` type($ids) `,` type($slots) `->` type($tile)";
  let hasVerifier = 1;
}
def EntryOp : Tile_Op<"entry", [MemoryEffects<[MemRead]>]> {
  let summary = "one element as a scalar: entry `slot` of a position of a list, as an index, or of a row of weights";
  let description = [{
    The position and the slot must exist. Views of i32 give an index, views of f32 a number.
  }];
  let arguments = (ins AnyView:$view, Index:$position, Index:$slot);
  let results = (outs AnyTypeOf<[Index, F32]>:$value);
  let assemblyFormat = "$view `[` $position `,` $slot `]` attr-dict `:` type($view) `->` type($value)";
  let hasVerifier = 1;
}
def FillOp : Tile_Op<"fill", [MemoryEffects<[MemWrite]>]> {
  let summary = "sets every element of a private view, or of its first `positions`";
  let arguments = (ins F32:$value, AnyView:$view, Optional<Index>:$positions);
  let assemblyFormat = "$value `,` $view (`to` $positions^)? attr-dict `:` type($view)";
  let hasVerifier = 1;
}
def LoadBlocksOp : Tile_Op<"load_blocks", [MemoryEffects<[MemRead]>]> {
  let summary = "a tile of blocks: row c is the mean of positions (first + c)*stride .. + length - 1 of the view";
  let description = [{
    `ragged`: a block that ends outside the view reduces the positions that exist. Otherwise, and for a block
    without any position, such a row is 0. The word is `mean`, `sum`, `max` or `min`; the last two keep a NaN. With
    `finite` they lie between -2^126 and 2^126.
  }];
  let arguments = (ins AnyView:$view, Index:$first, I64Attr:$length, I64Attr:$stride, UnitAttr:$ragged, UnitAttr:$finite, StrAttr:$reduce);
  let results = (outs AnyTile:$tile);
  let assemblyFormat = "custom<Keyword>($reduce) $view `[` $first `]` `blocks` `(` $length `,` $stride `)` (`ragged` $ragged^)? (`finite` $finite^)? attr-dict `:` type($view) `->` type($tile)";
  let hasVerifier = 1;
}

#endif
