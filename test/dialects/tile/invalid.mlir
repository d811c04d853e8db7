// RUN: sparse-attn-opt %s --split-input-file --verify-diagnostics

// Each refusal of types and of single ops.

// expected-error@+1 {{expected a tile of one or two extents, but got 3}}
module attributes {type = !sattn_tile.tile<2x2x2xf32>} {}

// -----

// expected-error@+1 {{expected positive tile extents, but got 0}}
module attributes {type = !sattn_tile.tile<0x4xf32>} {}

// -----

// expected-error@+1 {{expected a tile of numbers, but got elements of type 'index'}}
module attributes {type = !sattn_tile.tile<4xindex>} {}

// -----

// expected-error@+1 {{expected elements that are numbers, but got 'index'}}
module attributes {type = !sattn_tile.arg<index, 4>} {}

// -----

// expected-error@+1 {{expected a positive inner extent, but got 0}}
module attributes {type = !sattn_tile.arg<f32, 0>} {}

// -----

// expected-error@+1 {{expected a positive inner extent, but got -1}}
module attributes {type = !sattn_tile.view<f32, -1>} {}

// -----

// expected-error@+1 {{expected a positive group of heads, but got 0}}
module attributes {type = !sattn_tile.view<f32, 4, group = 0>} {}

// -----

// expected-error@+1 {{expected a positive block and panel width, but got 64 and 0}}
module attributes {layout = #sattn_tile.panels<block = 64, rows by 0>} {}

// -----

// expected-error@+1 {{expected the panel width (3) to divide the block (64)}}
module attributes {layout = #sattn_tile.panels<block = 64, rows by 3>} {}

// -----

// expected-error@+1 {{expected the panel width (4) to divide the inner extent (6)}}
module attributes {type = !sattn_tile.arg<f32, 6, <block = 64, cols by 4>>} {}

// -----

// expected-error@+1 {{expected 'rows x k' of a running top-k}}
module attributes {type = !sattn_tile.top<4>} {}

// -----

// expected-error@+1 {{expected a positive number of rows and of kept ids, but got 4 and 0}}
module attributes {type = !sattn_tile.top<4x0>} {}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    // expected-error@+1 {{expected 'batch', 'positions' or 'heads', but got 'rows'}}
    %n = sattn_tile.count rows of %a : !sattn_tile.arg<f32, 4>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    // expected-error@+1 {{expected a view of the operand's elements, inner extent and layout}}
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 8>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 3>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] column 2 : !sattn_tile.arg<f32, 3> -> !sattn_tile.view<f32, 1>
    // expected-error@+1 {{columns 2 to 4 are outside an inner extent of 3}}
    %w = sattn_tile.slice %a[%z, %y] column 2 : !sattn_tile.arg<f32, 3> -> !sattn_tile.view<f32, 2>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    // expected-error@+1 {{expected a positive 'every' with its 'from'}}
    %v = sattn_tile.slice %a[%z, %y] every 0 from %x : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>, %p: !sattn_tile.arg<i32, 1>) grid(%x, %y, %z) {
    // expected-error@+1 {{expected pages of at least one position, but got 0}}
    %v = sattn_tile.slice %a[%z, %y] paged %p by 0 : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>, %p: !sattn_tile.arg<i32, 1>) grid(%x, %y, %z) {
    // expected-error@+1 {{a pool of pages is sliced position by position, in plain rows, and repeats no position}}
    %v = sattn_tile.slice %a[%z, %y] paged %p by 2 : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4, group = 2, outer>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>, %p: !sattn_tile.arg<i32, 1>) grid(%x, %y, %z) {
    // expected-error@+1 {{a pool of pages is read by load, gather and load_blocks alone, not by 'sattn_tile.store'}}
    %v = sattn_tile.slice %a[%z, %y] paged %p by 2 : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    %t = sattn_tile.splat 0.0 : !sattn_tile.tile<2x4xf32>
    sattn_tile.store %t, %v[%x] : !sattn_tile.tile<2x4xf32>, !sattn_tile.view<f32, 4>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>, %p: !sattn_tile.arg<i32, 1>) grid(%x, %y, %z) {
    // expected-error@+1 {{requires both a page table and the size of its pages, or none}}
    %v = "sattn_tile.slice"(%a, %z, %y) <{operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0>, page = 2 : i64}> : (!sattn_tile.arg<f32, 4>, index, index) -> !sattn_tile.view<f32, 4>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4, <block = 4, rows by 2>>) grid(%x, %y, %z) {
    // expected-error@+1 {{a prepared operand is sliced with all its positions}}
    %v = sattn_tile.slice %a[%z, %y] every 2 from %x : !sattn_tile.arg<f32, 4, <block = 4, rows by 2>> -> !sattn_tile.view<f32, 4, <block = 4, rows by 2>>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4, <block = 4, rows by 2>>) grid(%x, %y, %z) {
    // expected-error@+1 {{a prepared operand is sliced with all its columns}}
    %v = sattn_tile.slice %a[%z, %y] column 2 : !sattn_tile.arg<f32, 4, <block = 4, rows by 2>> -> !sattn_tile.view<f32, 2, <block = 4, rows by 2>>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4, <block = 4, rows by 2>>) grid(%x, %y, %z) {
    // expected-error@+1 {{a prepared operand is sliced one head at a time}}
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f32, 4, <block = 4, rows by 2>> -> !sattn_tile.view<f32, 4, group = 2, <block = 4, rows by 2>>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    // expected-error@+1 {{expected a positive number of positions, but got 0}}
    %v = sattn_tile.private 0 : !sattn_tile.view<f32, 4>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>, %c: f32) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    // expected-error@+1 {{expected a private view: only private memory is filled}}
    sattn_tile.fill %c, %v : !sattn_tile.view<f32, 4>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%c: f32) grid(%x, %y, %z) {
    %v = sattn_tile.private 4 : !sattn_tile.view<i32, 4>
    // expected-error@+1 {{expected a view of f32, but got '!sattn_tile.view<i32, 4>'}}
    sattn_tile.fill %c, %v : !sattn_tile.view<i32, 4>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    // expected-error@+1 {{expected 4 columns as in the view, but the tile has 8}}
    %t = sattn_tile.load %v[%x] : !sattn_tile.view<f32, 4> -> !sattn_tile.tile<4x8xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4, group = 3>
    // expected-error@+1 {{expected 1 positions of 3 heads, but the tile has 4 rows}}
    %t = sattn_tile.load %v[%x] : !sattn_tile.view<f32, 4, group = 3> -> !sattn_tile.tile<4x4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4, <block = 8, rows by 2>>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f32, 4, <block = 8, rows by 2>> -> !sattn_tile.view<f32, 4, <block = 8, rows by 2>>
    // expected-error@+1 {{expected whole blocks of 8 rows, but the tile has 4}}
    %t = sattn_tile.load %v[%x] : !sattn_tile.view<f32, 4, <block = 8, rows by 2>> -> !sattn_tile.tile<4x4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f16, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f16, 4> -> !sattn_tile.view<f16, 4>
    // expected-error@+1 {{expected a tile of 'f16' or f32 elements, but got 'bf16'}}
    %t = sattn_tile.load %v[%x] : !sattn_tile.view<f16, 4> -> !sattn_tile.tile<4x4xbf16>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<i32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<i32, 4> -> !sattn_tile.view<i32, 4>
    %t = sattn_tile.splat 0.0 : !sattn_tile.tile<4x4xf32>
    // expected-error@+1 {{expected a tile of 'i32' or f32 elements, but got 'f32'}}
    sattn_tile.store %t, %v[%x] : !sattn_tile.tile<4x4xf32>, !sattn_tile.view<i32, 4>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    %i = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    // expected-error@+1 {{expected ids of type tile<Nxi32>, but got '!sattn_tile.tile<4xf32>'}}
    %t = sattn_tile.gather %v[%x + %i] : !sattn_tile.view<f32, 4>, !sattn_tile.tile<4xf32> -> !sattn_tile.tile<4x4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<i32, 1>, %b: !sattn_tile.arg<f32, 4, <block = 4, rows by 2>>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<i32, 1> -> !sattn_tile.view<i32, 1>
    %w = sattn_tile.slice %b[%z, %y] : !sattn_tile.arg<f32, 4, <block = 4, rows by 2>> -> !sattn_tile.view<f32, 4, <block = 4, rows by 2>>
    %i = sattn_tile.load %v[%x] : !sattn_tile.view<i32, 1> -> !sattn_tile.tile<4xi32>
    // expected-error@+1 {{expected a view of plain rows: listed rows of a blocked layout are not contiguous}}
    %t = sattn_tile.gather %w[%x + %i] : !sattn_tile.view<f32, 4, <block = 4, rows by 2>>, !sattn_tile.tile<4xi32> -> !sattn_tile.tile<4x4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<i32, 1>, %b: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<i32, 1> -> !sattn_tile.view<i32, 1>
    %w = sattn_tile.slice %b[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    %i = sattn_tile.load %v[%x] : !sattn_tile.view<i32, 1> -> !sattn_tile.tile<4xi32>
    %t = sattn_tile.splat 0.0 : !sattn_tile.tile<8x4xf32>
    // expected-error@+1 {{expected 4 positions of 1 heads, but the tile has 8 rows}}
    sattn_tile.scatter %t, %w[%x + %i] : !sattn_tile.tile<8x4xf32>, !sattn_tile.view<f32, 4>, !sattn_tile.tile<4xi32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<i32, 1>, %b: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<i32, 1> -> !sattn_tile.view<i32, 1>
    %w = sattn_tile.slice %b[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    %i = sattn_tile.load %v[%x] : !sattn_tile.view<i32, 1> -> !sattn_tile.tile<4xi32>
    %f = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    // expected-error@+1 {{expected slots of type tile<Nxi32>, but got '!sattn_tile.tile<4xf32>'}}
    %t = sattn_tile.gather_at %w[%x + %i, %f] : !sattn_tile.view<f32, 4>, !sattn_tile.tile<4xi32>, !sattn_tile.tile<4xf32> -> !sattn_tile.tile<4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%b: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %w = sattn_tile.slice %b[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4, group = 2>
    // expected-error@+1 {{expected a view of one head in plain rows}}
    %t = sattn_tile.entry %w[%x, %x] : !sattn_tile.view<f32, 4, group = 2> -> f32
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%b: !sattn_tile.arg<bf16, 4>) grid(%x, %y, %z) {
    %w = sattn_tile.slice %b[%z, %y] : !sattn_tile.arg<bf16, 4> -> !sattn_tile.view<bf16, 4>
    // expected-error@+1 {{expected a view of i32 or f32, but got '!sattn_tile.view<bf16, 4>'}}
    %t = sattn_tile.entry %w[%x, %x] : !sattn_tile.view<bf16, 4> -> f32
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%b: !sattn_tile.arg<i32, 4>) grid(%x, %y, %z) {
    %w = sattn_tile.slice %b[%z, %y] : !sattn_tile.arg<i32, 4> -> !sattn_tile.view<i32, 4>
    // expected-error@+1 {{expected index of a view of 'i32', but got 'f32'}}
    %t = sattn_tile.entry %w[%x, %x] : !sattn_tile.view<i32, 4> -> f32
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<i32, 1>, %b: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<i32, 1> -> !sattn_tile.view<i32, 1>
    %w = sattn_tile.slice %b[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    %i = sattn_tile.load %v[%x] : !sattn_tile.view<i32, 1> -> !sattn_tile.tile<4xi32>
    %j = sattn_tile.load %v[%x] : !sattn_tile.view<i32, 1> -> !sattn_tile.tile<8xi32>
    // expected-error@+1 {{expected one slot for each of the 4 ids, but got 8}}
    %t = sattn_tile.gather_at %w[%x + %i, %j] : !sattn_tile.view<f32, 4>, !sattn_tile.tile<4xi32>, !sattn_tile.tile<8xi32> -> !sattn_tile.tile<4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<i32, 1>, %b: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<i32, 1> -> !sattn_tile.view<i32, 1>
    %w = sattn_tile.slice %b[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    %i = sattn_tile.load %v[%x] : !sattn_tile.view<i32, 1> -> !sattn_tile.tile<4xi32>
    // expected-error@+1 {{expected a tile of 4 numbers, one for each listed row, or a multiple of that}}
    %t = sattn_tile.gather_at %w[%x + %i, %i] : !sattn_tile.view<f32, 4>, !sattn_tile.tile<4xi32>, !sattn_tile.tile<4xi32> -> !sattn_tile.tile<4x4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    // expected-error@+1 {{expected a positive block length and stride, but got 0 and 16}}
    %t = sattn_tile.load_blocks mean %v[%x] blocks(0, 16) : !sattn_tile.view<f32, 4> -> !sattn_tile.tile<4x4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    // expected-error@+1 {{expected 'mean', 'sum', 'max' or 'min', but got 'prod'}}
    %t = sattn_tile.load_blocks prod %v[%x] blocks(16, 16) : !sattn_tile.view<f32, 4> -> !sattn_tile.tile<4x4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    // expected-error@+1 {{expected 'max' or 'min' beside 'finite', but got 'sum'}}
    %t = sattn_tile.load_blocks sum %v[%x] blocks(16, 16) finite : !sattn_tile.view<f32, 4> -> !sattn_tile.tile<4x4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4, group = 2>
    // expected-error@+1 {{expected a view of one head in plain rows}}
    %t = sattn_tile.load_blocks mean %v[%x] blocks(16, 16) : !sattn_tile.view<f32, 4, group = 2> -> !sattn_tile.tile<4x4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    // expected-error@+1 {{expected a tile of 4 columns of f32, but got '!sattn_tile.tile<4x8xf32>'}}
    %t = sattn_tile.load_blocks mean %v[%x] blocks(16, 16) : !sattn_tile.view<f32, 4> -> !sattn_tile.tile<4x8xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    // expected-error@+1 {{expected a tile of f32, but got '!sattn_tile.tile<4xi32>'}}
    %t = sattn_tile.splat 0.0 : !sattn_tile.tile<4xi32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    // expected-error@+1 {{expected heads that share the rows evenly, but got 3 for '!sattn_tile.tile<4x8xf32>' and '!sattn_tile.tile<16x8xf32>'}}
    %d = sattn_tile.dot nt %a, %b {heads = 3 : i64} : !sattn_tile.tile<4x8xf32>, !sattn_tile.tile<16x8xf32> -> !sattn_tile.tile<4x16xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    // expected-error@+1 {{extents do not fit: '!sattn_tile.tile<4x8xf32>' nt '!sattn_tile.tile<16x8xf32>' gives 4x8, not '!sattn_tile.tile<4x16xf32>'}}
    %d = sattn_tile.dot nt %a, %b {heads = 2 : i64} : !sattn_tile.tile<4x8xf32>, !sattn_tile.tile<16x8xf32> -> !sattn_tile.tile<4x16xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected 'nt', 'nn' or 'l1', but got 'tn'}}
    %d = sattn_tile.dot tn %a, %b : !sattn_tile.tile<4x8xf32>, !sattn_tile.tile<16x8xf32> -> !sattn_tile.tile<4x16xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected tiles of two extents}}
    %d = sattn_tile.dot nt %r, %b : !sattn_tile.tile<4xf32>, !sattn_tile.tile<16x8xf32> -> !sattn_tile.tile<4x16xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{extents do not fit: '!sattn_tile.tile<4x8xf32>' nn '!sattn_tile.tile<16x8xf32>' gives 4x8, not '!sattn_tile.tile<4x16xf32>'}}
    %d = sattn_tile.dot nn %a, %b : !sattn_tile.tile<4x8xf32>, !sattn_tile.tile<16x8xf32> -> !sattn_tile.tile<4x16xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected a float32 sum of products of floats, but got}}
    %d = sattn_tile.dot nt %a, %b : !sattn_tile.tile<4x8xf32>, !sattn_tile.tile<16x8xf32> -> !sattn_tile.tile<4x16xf16>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected no accumulator: distances are not added to anything}}
    %d = sattn_tile.dot l1 %a, %b add %c : !sattn_tile.tile<4x8xf32>, !sattn_tile.tile<16x8xf32>, !sattn_tile.tile<4x16xf32> -> !sattn_tile.tile<4x16xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    // expected-error@+1 {{expected 'below' of at least 1 and for 'l1' alone}}
    %d = sattn_tile.dot nt %a, %b {below = 4 : i64} : !sattn_tile.tile<4x8xf32>, !sattn_tile.tile<16x8xf32> -> !sattn_tile.tile<4x16xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    // expected-error@+1 {{extents do not fit: '!sattn_tile.tile<4x8xf32>' l1 '!sattn_tile.tile<16x8xf32>' gives 4x16, not '!sattn_tile.tile<4x8xf32>'}}
    %d = sattn_tile.dot l1 %a, %b : !sattn_tile.tile<4x8xf32>, !sattn_tile.tile<16x8xf32> -> !sattn_tile.tile<4x8xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected an accumulator of the result's type}}
    %d = sattn_tile.dot nt %a, %b add %r : !sattn_tile.tile<4x8xf32>, !sattn_tile.tile<16x8xf32>, !sattn_tile.tile<4xf32> -> !sattn_tile.tile<4x16xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected one scale for each row of an accumulator}}
    %d = sattn_tile.dot nt %a, %b add %c scaled %c : !sattn_tile.tile<4x8xf32>, !sattn_tile.tile<16x8xf32>, !sattn_tile.tile<4x16xf32>, !sattn_tile.tile<4x16xf32> -> !sattn_tile.tile<4x16xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%o: !sattn_tile.per_batch) grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected tiles and numbers as operands, but got '!sattn_tile.per_batch'}}
    %d = "sattn_tile.map"(%o) ({
    ^bb0(%q: !sattn_tile.per_batch):
      sattn_tile.yield %q : !sattn_tile.per_batch
    }) : (!sattn_tile.per_batch) -> !sattn_tile.tile<4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected a region argument of type 'f32'}}
    %d = "sattn_tile.map"(%a) ({
    ^bb0(%q: f16):
      sattn_tile.yield %q : f16
    }) : (!sattn_tile.tile<4x8xf32>) -> !sattn_tile.tile<4x8xf16>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected one region argument for each of the 2 operands}}
    %d = "sattn_tile.map"(%a, %a) ({
    ^bb0(%q: f32):
      sattn_tile.yield %q : f32
    }) : (!sattn_tile.tile<4x8xf32>, !sattn_tile.tile<4x8xf32>) -> !sattn_tile.tile<4x8xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{does not fit a result of type}}
    %d = sattn_tile.map (%q = %b) : !sattn_tile.tile<16x8xf32> -> !sattn_tile.tile<4x8xf32> {
      sattn_tile.yield %q : f32
    }
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    %d = sattn_tile.map (%q = %a) : !sattn_tile.tile<4x8xf32> -> !sattn_tile.tile<4x8xf32> {
      // expected-error@+1 {{cannot stand in a map: a map computes with arith and the listed functions of math on numbers}}
      %e = math.sin %q : f32
      sattn_tile.yield %e : f32
    }
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected the region to yield one 'f16'}}
    %d = sattn_tile.map (%q = %a) : !sattn_tile.tile<4x8xf32> -> !sattn_tile.tile<4x8xf16> {
      sattn_tile.yield %q : f32
    }
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected scores of two extents in f32 and a result of their type}}
    %s = sattn_tile.mask %r rows(%x) cols(%y) {row_map = affine_map<(r) -> (r)>, sets = [affine_set<(t, s) : (t - s >= 0)>]} : !sattn_tile.tile<4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected ids of type tile<Nxi32>, but got '!sattn_tile.tile<4xf32>'}}
    %s = sattn_tile.mask %a rows(%x + %r : !sattn_tile.tile<4xf32>) cols(%y) {row_map = affine_map<(r) -> (r)>, sets = [affine_set<(t, s) : (t - s >= 0)>]} : !sattn_tile.tile<4x8xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%l: !sattn_tile.arg<i32, 1>) grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    %v = sattn_tile.slice %l[%z, %y] : !sattn_tile.arg<i32, 1> -> !sattn_tile.view<i32, 1>
    %i = sattn_tile.load %v[%x] : !sattn_tile.view<i32, 1> -> !sattn_tile.tile<3xi32>
    // expected-error@+1 {{expected the number of ids (3) to divide the rows (4)}}
    %s = sattn_tile.mask %a rows(%x + %i : !sattn_tile.tile<3xi32>) cols(%y) {row_map = affine_map<(r) -> (r)>, sets = [affine_set<(t, s) : (t - s >= 0)>]} : !sattn_tile.tile<4x8xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected a row map from one row to one position}}
    %s = sattn_tile.mask %a rows(%x) cols(%y) {row_map = affine_map<(r, c) -> (r)>, sets = [affine_set<(t, s) : (t - s >= 0)>]} : !sattn_tile.tile<4x8xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected integer sets over 2 dims and 0 symbols}}
    %s = sattn_tile.mask %a rows(%x) cols(%y) {row_map = affine_map<(r) -> (r)>, sets = [affine_set<(t, s)[w] : (t - s - w >= 0)>]} : !sattn_tile.tile<4x8xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected 'max' or 'sum', but got 'min'}}
    %s = sattn_tile.reduce min %a over cols : !sattn_tile.tile<4x8xf32> -> !sattn_tile.tile<4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected f32 tiles, the operand of two extents}}
    %s = sattn_tile.reduce max %r over cols : !sattn_tile.tile<4xf32> -> !sattn_tile.tile<4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected one number for each row}}
    %s = sattn_tile.reduce max %a over cols : !sattn_tile.tile<4x8xf32> -> !sattn_tile.tile<8xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected 'cols' or 'heads(G)', but got 'rows'}}
    %s = sattn_tile.reduce max %a over rows : !sattn_tile.tile<4x8xf32> -> !sattn_tile.tile<8xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected 4 / 3 rows}}
    %s = sattn_tile.reduce sum %a over heads(3) : !sattn_tile.tile<4x8xf32> -> !sattn_tile.tile<1x8xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected an f32 tile of two extents and a result of its type}}
    %s = sattn_tile.row_scan %a : !sattn_tile.tile<4x8xf32> -> !sattn_tile.tile<4x8xf16>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected scores of two extents in f32, but got '!sattn_tile.tile<4xf32>'}}
    %n:4 = sattn_tile.softmax_step %r, %r, %r : !sattn_tile.tile<4xf32>, !sattn_tile.tile<4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected one maximum and one sum for each of the 4 rows}}
    %n:4 = sattn_tile.softmax_step %a, %c, %c : !sattn_tile.tile<4x8xf32>, !sattn_tile.tile<4x16xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected a partial result: one maximum and one sum in f32 for each row, but got}}
    %o, %l = sattn_tile.softmax_finish %r, %r, %b : !sattn_tile.tile<4xf32>, !sattn_tile.tile<16x8xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected one sink logit for each row}}
    %o, %l = sattn_tile.softmax_finish %r, %r, %a sink %c : !sattn_tile.tile<4xf32>, !sattn_tile.tile<4x8xf32>, !sattn_tile.tile<4x16xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected a partial result: one maximum and one sum in f32 for each row, but got}}
    %o:3 = sattn_tile.merge (%r, %r, %b), (%r, %r, %b) : !sattn_tile.tile<4xf32>, !sattn_tile.tile<16x8xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected f32 tiles of the same rows}}
    %o:2 = sattn_tile.pool %a, %b weights [1.0] stride 4 : !sattn_tile.tile<4x8xf32>, !sattn_tile.tile<16x8xf32> -> !sattn_tile.tile<4x2xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected 8 / 3 columns, but the result has 2}}
    %o:2 = sattn_tile.pool %a, %a weights [1.0] stride 3 : !sattn_tile.tile<4x8xf32>, !sattn_tile.tile<4x8xf32> -> !sattn_tile.tile<4x2xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    // expected-error@+1 {{expected 1 to 12 weights, so that each window ends inside the tile, but got 0}}
    %o:2 = sattn_tile.pool %a, %a weights [] stride 4 : !sattn_tile.tile<4x8xf32>, !sattn_tile.tile<4x8xf32> -> !sattn_tile.tile<4x2xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    %t = sattn_tile.top_init : !sattn_tile.top<8x4>
    // expected-error@+1 {{expected f32 scores of 8 rows}}
    %u = sattn_tile.top_push %t, %a ids(%x) rows(%y) symbols() {forced = [], row_map = affine_map<(r) -> (r)>} : !sattn_tile.top<8x4>, !sattn_tile.tile<4x8xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    %t = sattn_tile.top_init : !sattn_tile.top<4x4>
    // expected-error@+1 {{expected a row map from one row to one position}}
    %u = sattn_tile.top_push %t, %a ids(%x) rows(%y) symbols() {forced = [], row_map = affine_map<(r) -> (r, r)>} : !sattn_tile.top<4x4>, !sattn_tile.tile<4x8xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    %t = sattn_tile.top_init : !sattn_tile.top<4x4>
    // expected-error@+1 {{expected integer sets over 2 dims and 0 symbols}}
    %u = sattn_tile.top_push %t, %a ids(%x) rows(%y) symbols() {forced = [affine_set<(t) : (t >= 0)>], row_map = affine_map<(r) -> (r)>} : !sattn_tile.top<4x4>, !sattn_tile.tile<4x8xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%q: !sattn_tile.arg<f32, 64>) grid(%x, %y, %z) {
    // expected-error@+1 {{a view across the heads of a position has no classes, repetition, layout or group}}
    %v = sattn_tile.slice %q[%z, %y] across : !sattn_tile.arg<f32, 64> -> !sattn_tile.view<f32, 64, group = 4>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%b: !sattn_tile.arg<f32, 1>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %b[%z, %x] : !sattn_tile.arg<f32, 1> -> !sattn_tile.view<f32, 1, group = 3>
    // expected-error@+1 {{turned: expected rows that are a multiple of the heads of a view of inner extent 1 without a layout, but got}}
    %t = sattn_tile.load %v[%x] turned : !sattn_tile.view<f32, 1, group = 3> -> !sattn_tile.tile<16x8xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 1.0 : !sattn_tile.tile<16x12xf32>
    // expected-error@+1 {{expected f32 rows of a power of 2 of columns, but got}}
    %b = sattn_tile.hadamard %a : !sattn_tile.tile<16x12xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 1.0 : !sattn_tile.tile<16x8xf32>
    %w = sattn_tile.splat 1.0 : !sattn_tile.tile<16xf32>
    // expected-error@+1 {{expected scores of two extents in f32 and one word of i32 for each row}}
    %b = sattn_tile.choose %a by %w block 8 : !sattn_tile.tile<16x8xf32>, !sattn_tile.tile<16xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%m: !sattn_tile.arg<i32, 1>) grid(%x, %y, %z) {
    %a = sattn_tile.splat 1.0 : !sattn_tile.tile<16x66xf32>
    %v = sattn_tile.slice %m[%z, %x] : !sattn_tile.arg<i32, 1> -> !sattn_tile.view<i32, 1>
    %w = sattn_tile.load %v[%x] : !sattn_tile.view<i32, 1> -> !sattn_tile.tile<16xi32>
    // expected-error@+1 {{expected at most 32 blocks in 66 columns, but 'block' is 2}}
    %b = sattn_tile.choose %a by %w block 2 : !sattn_tile.tile<16x66xf32>, !sattn_tile.tile<16xi32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 1.0 : !sattn_tile.tile<16xf32>
    // expected-error@+1 {{expected a row vector and a tile of one row of its numbers, but got}}
    %b = sattn_tile.columns %a : !sattn_tile.tile<16xf32> -> !sattn_tile.tile<1x8xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%s: !sattn_tile.arg<f32, 8>, %l: !sattn_tile.arg<i32, 1>) grid(%x, %y, %z) {
    %sv = sattn_tile.slice %s[%z, %y] : !sattn_tile.arg<f32, 8> -> !sattn_tile.view<f32, 8>
    %lv = sattn_tile.slice %l[%z, %y] : !sattn_tile.arg<i32, 1> -> !sattn_tile.view<i32, 1>
    // expected-error@+1 {{expected a view of one head of f32 whose columns are a multiple of 16, but got}}
    sattn_tile.top_row %sv[%x to %y] count(%x) rows(%x) symbols() into %lv {forced = []} : !sattn_tile.view<f32, 8>, !sattn_tile.view<i32, 1>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%s: !sattn_tile.arg<f32, 16>, %l: !sattn_tile.arg<i32, 1>) grid(%x, %y, %z) {
    %sv = sattn_tile.slice %s[%z, %y] : !sattn_tile.arg<f32, 16> -> !sattn_tile.view<f32, 16>
    %lv = sattn_tile.slice %l[%z, %y] : !sattn_tile.arg<i32, 1> -> !sattn_tile.view<i32, 1>
    // expected-error@+1 {{expected integer sets over 2 dims and 1 symbols}}
    sattn_tile.top_row %sv[%x to %y] count(%x) rows(%x) symbols(%x) into %lv {forced = [affine_set<(t, i) : (i >= 0)>]} : !sattn_tile.view<f32, 16>, !sattn_tile.view<i32, 1>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%l: !sattn_tile.arg<f32, 8>, %w: !sattn_tile.arg<i32, 1>) grid(%x, %y, %z) {
    %lv = sattn_tile.slice %l[%z, %y] : !sattn_tile.arg<f32, 8> -> !sattn_tile.view<f32, 8>
    %wv = sattn_tile.slice %w[%z, %y] : !sattn_tile.arg<i32, 1> -> !sattn_tile.view<i32, 1>
    // expected-error@+1 {{expected lists of i32 ids of one head, but got}}
    sattn_tile.members %lv[%x] per 4 into %wv : !sattn_tile.view<f32, 8>, !sattn_tile.view<i32, 1>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%l: !sattn_tile.arg<i32, 8>, %w: !sattn_tile.arg<i32, 1>) grid(%x, %y, %z) {
    %lv = sattn_tile.slice %l[%z, %y] : !sattn_tile.arg<i32, 8> -> !sattn_tile.view<i32, 8>
    %wv = sattn_tile.slice %w[%z, %y] : !sattn_tile.arg<i32, 1> -> !sattn_tile.view<i32, 1>
    // expected-error@+1 {{expected 1 to 31 ids in a word, but got 32}}
    sattn_tile.members %lv[%x] per 32 into %wv : !sattn_tile.view<i32, 8>, !sattn_tile.view<i32, 1>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%l: !sattn_tile.arg<i32, 8>, %w: !sattn_tile.arg<i32, 2>) grid(%x, %y, %z) {
    %lv = sattn_tile.slice %l[%z, %y] : !sattn_tile.arg<i32, 8> -> !sattn_tile.view<i32, 8>
    %wv = sattn_tile.slice %w[%z, %y] : !sattn_tile.arg<i32, 2> -> !sattn_tile.view<i32, 2>
    // expected-error@+1 {{expected a view of one i32 a position as the list, but got}}
    sattn_tile.members %lv[%x] per 4 into %wv : !sattn_tile.view<i32, 8>, !sattn_tile.view<i32, 2>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%l: !sattn_tile.arg<f32, 1>) grid(%x, %y, %z) {
    %lv = sattn_tile.slice %l[%z, %y] : !sattn_tile.arg<f32, 1> -> !sattn_tile.view<f32, 1>
    // expected-error@+1 {{expected a view of one i32 a position as the list, but got}}
    %n = sattn_tile.length %lv : !sattn_tile.view<f32, 1>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %t = sattn_tile.top_init : !sattn_tile.top<4x4>
    // expected-error@+1 {{expected lists of 4x4}}
    %u:2 = sattn_tile.top_list %t : !sattn_tile.top<4x4> -> !sattn_tile.tile<4x8xi32>, !sattn_tile.tile<4x4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %t = sattn_tile.top_init : !sattn_tile.top<4x4>
    // expected-error@+1 {{expected ids in i32 and scores in f32}}
    %u:2 = sattn_tile.top_list %t : !sattn_tile.top<4x4> -> !sattn_tile.tile<4x4xf32>, !sattn_tile.tile<4x4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    // expected-error@+1 {{expected lists of i32 ids of one head in plain rows, but got}}
    %i = sattn_tile.invert %v[%x] count 4 units(%y) : !sattn_tile.view<f32, 4>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<i32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<i32, 4> -> !sattn_tile.view<i32, 4>
    // expected-error@+1 {{expected a positive number of positions, but got 0}}
    %i = sattn_tile.invert %v[%x] count 0 units(%y) : !sattn_tile.view<i32, 4>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<i32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<i32, 4> -> !sattn_tile.view<i32, 4>
    // expected-error@+1 {{expected 'unordered' lists beside flags, starts or a base}}
    %i = sattn_tile.invert %v[%x] count 1 units(%y) flags : !sattn_tile.view<i32, 4>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<i32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<i32, 4> -> !sattn_tile.view<i32, 4>
    // expected-error@+1 {{expected starts of one i32 for each position of one head, but got '!sattn_tile.view<i32, 4>'}}
    %i = sattn_tile.invert %v[%x] starts %v count 1 units(%y) unordered : !sattn_tile.view<i32, 4>, !sattn_tile.view<i32, 4>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<i32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<i32, 4> -> !sattn_tile.view<i32, 4>
    %i = sattn_tile.invert %v[%x] count 4 units(%y) : !sattn_tile.view<i32, 4>
    // expected-error@+1 {{expected the unit, '!sattn_tile.tile<2xi32>' positions and slots as arguments}}
    "sattn_tile.stream_inverse"(%i) <{members = 2 : i64}> ({
    ^bb0(%u: index, %p: !sattn_tile.tile<4xi32>, %q: !sattn_tile.tile<4xi32>):
      sattn_tile.yield
    }) : (!sattn_tile.inverse) -> ()
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<i32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<i32, 4> -> !sattn_tile.view<i32, 4>
    %i = sattn_tile.invert %v[%x] count 4 units(%y) : !sattn_tile.view<i32, 4>
    // expected-error@+1 {{expected a positive number of members, but got -1}}
    "sattn_tile.stream_inverse"(%i) <{members = -1 : i64}> ({
    ^bb0(%u: index, %p: !sattn_tile.tile<4xi32>, %q: !sattn_tile.tile<4xi32>):
      sattn_tile.yield
    }) : (!sattn_tile.inverse) -> ()
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<i32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<i32, 4> -> !sattn_tile.view<i32, 4>
    %i = sattn_tile.invert %v[%x] count 4 units(%y) : !sattn_tile.view<i32, 4>
    // expected-error@+1 {{expected a yield without values: a stream over an inverse carries nothing}}
    sattn_tile.stream_inverse (%u, %p, %q) in %i members 2 {
      sattn_tile.yield %u : index
    }
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    // expected-error@+1 {{expected one or more runs of four bounds each}}
    %n = "sattn_tile.cover"() <{operandSegmentSizes = array<i32: 0, 0, 0, 0>}> : () -> !sattn_tile.cover
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    %n = sattn_tile.cover hull(%x to %y) full(%x to %y)
    // expected-error@+1 {{expected the tile index and 1 carried values as arguments}}
    %s = "sattn_tile.stream"(%n, %r) ({
    ^bb0(%j: index):
      sattn_tile.yield %r : !sattn_tile.tile<4xf32>
    }) : (!sattn_tile.cover, !sattn_tile.tile<4xf32>) -> !sattn_tile.tile<4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    %n = sattn_tile.cover hull(%x to %y) full(%x to %y)
    // expected-error@+1 {{expected carried, yielded and result types to agree}}
    %s = sattn_tile.stream %j in %n carry(%m = %r) : !sattn_tile.tile<4xf32> {
      sattn_tile.yield %a : !sattn_tile.tile<4x8xf32>
    }
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    %a = sattn_tile.splat 0.0 : !sattn_tile.tile<4x8xf32>
    %b = sattn_tile.splat 0.0 : !sattn_tile.tile<16x8xf32>
    %r = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x16xf32>
    %n = sattn_tile.cover hull(%x to %y) full(%x to %y)
    // expected-error@+1 {{expected one type for each carried value}}
    %s = sattn_tile.stream %j in %n carry(%m = %r) : !sattn_tile.tile<4xf32>, !sattn_tile.tile<4xf32> {
      sattn_tile.yield %m : !sattn_tile.tile<4xf32>
    }
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    // expected-error@+1 {{cannot stand in a kernel: kernels hold sattn_tile, arith, affine.apply, affine.min, affine.max, scf.if and scf.for}}
    scf.while : () -> () {
      %t = arith.constant true
      scf.condition(%t)
    } do {
      scf.yield
    }
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 1>) grid(%x, %y, %z) {
    // expected-error@+1 {{expected a row vector or a tile of one row, of f32, but got '!sattn_tile.tile<2x4xf32>'}}
    %t = sattn_tile.iota affine_map<(r) -> (r)> : !sattn_tile.tile<2x4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 1>) grid(%x, %y, %z) {
    // expected-error@+1 {{expected a map from one number to one number}}
    %t = sattn_tile.iota affine_map<(r)[n] -> (r + n)> : !sattn_tile.tile<4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 1>) grid(%x, %y, %z) {
    // expected-error@+1 {{expected numbers of magnitude at most 2^24, which f32 holds exactly, as element 2}}
    %t = sattn_tile.iota affine_map<(r) -> (r * 16777216)> : !sattn_tile.tile<4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 1>) grid(%x, %y, %z) {
    // expected-error@+1 {{a view that repeats one position has no limit, classes or layout}}
    %v = sattn_tile.slice %a[%z, %y] limit %x repeat : !sattn_tile.arg<f32, 1> -> !sattn_tile.view<f32, 1>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<i32, 1>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<i32, 1> -> !sattn_tile.view<i32, 1>
    // expected-error@+1 {{expected a tile of 'i32' or f32 elements, but got 'f32'}}
    %t = sattn_tile.load %v[%x] : !sattn_tile.view<i32, 1> -> !sattn_tile.tile<1x4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 1>) grid(%x, %y, %z) {
    %r = sattn_tile.iota affine_map<(r) -> (r)> : !sattn_tile.tile<1x4xf32>
    // expected-error@+1 {{operand of type '!sattn_tile.tile<1x4xf32>' does not fit a result of type '!sattn_tile.tile<8x8xf32>'}}
    %t = sattn_tile.map (%e = %r) : !sattn_tile.tile<1x4xf32> -> !sattn_tile.tile<8x8xf32> {
      sattn_tile.yield %e : f32
    }
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<i32, 1>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<i32, 1> -> !sattn_tile.view<i32, 1>
    %s = sattn_tile.splat 0.0 : !sattn_tile.tile<8x4xf32>
    %t = sattn_tile.load %v[%x] : !sattn_tile.view<i32, 1> -> !sattn_tile.tile<4xi32>
    // expected-error@+1 {{expected a table of i32, one for each row, each column or each distance, but got '!sattn_tile.tile<4xi32>'}}
    %m = sattn_tile.mask %s rows(%x) cols(%x) tables(%t : !sattn_tile.tile<4xi32>) {row_map = affine_map<(r) -> (r)>, sets = []} : !sattn_tile.tile<8x4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<i32, 1>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<i32, 1> -> !sattn_tile.view<i32, 1>
    %s = sattn_tile.splat 0.0 : !sattn_tile.tile<8x4xf32>
    %t = sattn_tile.load %v[%x] : !sattn_tile.view<i32, 1> -> !sattn_tile.tile<1x4xi32>
    // expected-error@+1 {{expected integer sets over 3 dims and 0 symbols}}
    %m = sattn_tile.mask %s rows(%x) cols(%x) tables(%t : !sattn_tile.tile<1x4xi32>) {row_map = affine_map<(r) -> (r)>, sets = [affine_set<(t, s) : (t - s >= 0)>]} : !sattn_tile.tile<8x4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4, group = 2>
    // expected-error@+1 {{expected a view of one head in plain rows}}
    sattn_tile.prefetch %v[%x] count 16 : !sattn_tile.view<f32, 4, group = 2>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    // expected-error@+1 {{expected at least one position, but got 0}}
    sattn_tile.prefetch %v[%x] count 0 : !sattn_tile.view<f32, 4>
    sattn_tile.return
  }
  sattn_tile.plan { }
}
