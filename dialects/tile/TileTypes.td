// Types and attributes of the tile dialect.
#ifndef SATTN_TILE_TYPES
#define SATTN_TILE_TYPES

include "dialects/tile/TileDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

class Tile_Type<string name, string typeMnemonic> : TypeDef<SattnTile_Dialect, name> {
  let mnemonic = typeMnemonic;
}

//===-- Layouts -----------------------------------------------------------------------------------------===//

def Tile_PanelAxis : I32EnumAttr<"PanelAxis", "axis that a panel cuts", [
    I32EnumAttrCase<"Rows", 0, "rows">, I32EnumAttrCase<"Cols", 1, "cols">]> {
  let cppNamespace = "::sattn::tile";
  let genSpecializedAttr = 0;
}

def Tile_PanelsAttr : AttrDef<SattnTile_Dialect, "Panels"> {
  let mnemonic = "panels";
  let summary = "blocked memory layout of a prepared operand";
  let description = [{
    Memory is a sequence of blocks of `block` rows. Inside a block of `block x C` elements
    `rows` cuts the rows into panels of `width`, stored `[block / width][C][width]`, and `cols` cuts the columns,
    stored `[C / width][block][width]`. `block` is a multiple of `width` for `rows`; C is one for `cols`.

    Example: `#sattn_tile.panels<block = 64, rows by 4>` is the layout in which four keys stand side by side
    for each feature.
  }];
  let parameters = (ins "int64_t":$block, EnumParameter<Tile_PanelAxis>:$axis, "int64_t":$width);
  let assemblyFormat = "`<` `block` `=` $block `,` $axis `by` $width `>`";
  let genVerifyDecl = 1;
}

//===-- Types -------------------------------------------------------------------------------------------===//

def Tile_TileType : Tile_Type<"Tile", "tile"> {
  let summary = "tile value of static extents: `tile<64x128xf32>` (rows x columns) or `tile<64xf32>` (one per row)";
  let parameters = (ins ArrayRefParameter<"int64_t">:$shape, "::mlir::Type":$elementType);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    int64_t getRows() const { return getShape()[0]; }
    bool isVector() const { return getShape().size() == 1; }
    /// Columns; 1 for a row vector.
    int64_t getCols() const { return isVector() ? 1 : getShape()[1]; }
    TileType withElement(::mlir::Type element) const { return get(getContext(), getShape(), element); }
  }];
}

def Tile_ArgType : Tile_Type<"Arg", "arg"> {
  let summary = "kernel operand: a strided array [batch, position, head] of `inner` contiguous elements";
  let description = [{
    Counts and strides of batch, position and head are run-time values that travel with the operand (docs/artefact.md).
    With a layout, each (batch, head) holds rows in that blocked form, padded with zeros to whole blocks.
  }];
  let parameters = (ins "::mlir::Type":$elementType, "int64_t":$inner, OptionalParameter<"PanelsAttr">:$layout);
  let assemblyFormat = "`<` $elementType `,` $inner (`,` $layout^)? `>`";
  let genVerifyDecl = 1;
}

def Tile_ViewType : Tile_Type<"View", "view"> {
  let summary = "rows of one batch entry and one head, or of one group of heads";
  let description = [{
    With `group = G` a view spans G consecutive heads and a tile of R rows read at position p holds R / G positions:
    row r is position `p + r floordiv G`, head `r mod G` of the group; with `outer` row r is position
    `p + r mod (R / G)`, head `r floordiv (R / G)`.
  }];
  let parameters = (ins "::mlir::Type":$elementType, "int64_t":$inner, DefaultValuedParameter<"int64_t", "1">:$group,
                        DefaultValuedParameter<"bool", "false">:$outer, OptionalParameter<"PanelsAttr">:$layout);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def Tile_PerBatchType : Tile_Type<"PerBatch", "per_batch"> {
  let summary = "one integer for each batch entry: query offset, key offset or key length";
}

def Tile_CoverType : Tile_Type<"Cover", "cover"> {
  let summary = "ascending, disjoint runs of key tiles, each tile marked full or partial";
}

def Tile_TopType : Tile_Type<"Top", "top"> {
  let summary = "running top-k of each row: `top<16x8>` keeps the best 8 of each of 16 rows";
  let parameters = (ins "int64_t":$rows, "int64_t":$k);
  let assemblyFormat = "`<` custom<RowsByK>($rows, $k) `>`";
  let genVerifyDecl = 1;
}

def Tile_InverseType : Tile_Type<"Inverse", "inverse"> {
  let summary = "the index lists of a run of neighbouring positions, turned around: for each unit its members";
}

def AnyTile : Type<CPred<"::llvm::isa<::sattn::tile::TileType>($_self)">, "tile", "::sattn::tile::TileType">;
def AnyArg : Type<CPred<"::llvm::isa<::sattn::tile::ArgType>($_self)">, "kernel operand", "::sattn::tile::ArgType">;
def PageTable : Type<CPred<"$_self == ::sattn::tile::pageTableType($_self.getContext())">, "page table, an operand of one i32", "::sattn::tile::ArgType">,
    BuildableType<"::sattn::tile::pageTableType($_builder.getContext())">;
def AnyView : Type<CPred<"::llvm::isa<::sattn::tile::ViewType>($_self)">, "view", "::sattn::tile::ViewType">;
def PerBatch : Type<CPred<"::llvm::isa<::sattn::tile::PerBatchType>($_self)">, "per-batch integers", "::sattn::tile::PerBatchType">,
    BuildableType<"$_builder.getType<::sattn::tile::PerBatchType>()">;
def Cover : Type<CPred<"::llvm::isa<::sattn::tile::CoverType>($_self)">, "cover", "::sattn::tile::CoverType">,
    BuildableType<"$_builder.getType<::sattn::tile::CoverType>()">;
def AnyTop : Type<CPred<"::llvm::isa<::sattn::tile::TopType>($_self)">, "running top-k", "::sattn::tile::TopType">;
def Inverse : Type<CPred<"::llvm::isa<::sattn::tile::InverseType>($_self)">, "inverse lists", "::sattn::tile::InverseType">,
    BuildableType<"$_builder.getType<::sattn::tile::InverseType>()">;

#endif
