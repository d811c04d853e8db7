// RUN: sparse-attn-opt %s --split-input-file --verify-diagnostics

// A tile that is updated in place has one update and no later use.

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    %t = sattn_tile.load %v[%x] : !sattn_tile.view<f32, 4> -> !sattn_tile.tile<4x4xf32>
    %u = sattn_tile.load %v[%y] : !sattn_tile.view<f32, 4> -> !sattn_tile.tile<4x4xf32>
    %n = sattn_tile.cover hull(%x to %y) full(%x to %y)
    // An accumulator is read after it was updated.
    // expected-error@+1 {{updates a tile that is read later or updated twice}}
    %d = sattn_tile.dot nn %u, %u add %t : !sattn_tile.tile<4x4xf32>, !sattn_tile.tile<4x4xf32>, !sattn_tile.tile<4x4xf32> -> !sattn_tile.tile<4x4xf32>
    // expected-note@+1 {{the other use is here}}
    %e = sattn_tile.dot nt %t, %u : !sattn_tile.tile<4x4xf32>, !sattn_tile.tile<4x4xf32> -> !sattn_tile.tile<4x4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    %t = sattn_tile.load %v[%x] : !sattn_tile.view<f32, 4> -> !sattn_tile.tile<4x4xf32>
    %u = sattn_tile.load %v[%y] : !sattn_tile.view<f32, 4> -> !sattn_tile.tile<4x4xf32>
    %n = sattn_tile.cover hull(%x to %y) full(%x to %y)
    // Reading it before is fine, and so is starting twice from one constant.
    %e = sattn_tile.dot nt %t, %u : !sattn_tile.tile<4x4xf32>, !sattn_tile.tile<4x4xf32> -> !sattn_tile.tile<4x4xf32>
    %d = sattn_tile.dot nn %u, %u add %t : !sattn_tile.tile<4x4xf32>, !sattn_tile.tile<4x4xf32>, !sattn_tile.tile<4x4xf32> -> !sattn_tile.tile<4x4xf32>
    %c = sattn_tile.splat 0.0 : !sattn_tile.tile<4x4xf32>
    %f = sattn_tile.dot nn %u, %u add %c : !sattn_tile.tile<4x4xf32>, !sattn_tile.tile<4x4xf32>, !sattn_tile.tile<4x4xf32> -> !sattn_tile.tile<4x4xf32>
    %g = sattn_tile.dot nn %u, %u add %c : !sattn_tile.tile<4x4xf32>, !sattn_tile.tile<4x4xf32>, !sattn_tile.tile<4x4xf32> -> !sattn_tile.tile<4x4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    %t = sattn_tile.load %v[%x] : !sattn_tile.view<f32, 4> -> !sattn_tile.tile<4x4xf32>
    %u = sattn_tile.load %v[%y] : !sattn_tile.view<f32, 4> -> !sattn_tile.tile<4x4xf32>
    %n = sattn_tile.cover hull(%x to %y) full(%x to %y)
    // Two loops start from the same tile.
    // expected-error@+1 {{updates a tile that is read later or updated twice}}
    %d = sattn_tile.stream %j in %n carry(%m = %t) : !sattn_tile.tile<4x4xf32> {
      sattn_tile.yield %m : !sattn_tile.tile<4x4xf32>
    }
    // expected-note@+1 {{the other use is here}}
    %e = sattn_tile.stream %j in %n carry(%m = %t) : !sattn_tile.tile<4x4xf32> {
      sattn_tile.yield %m : !sattn_tile.tile<4x4xf32>
    }
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    %t = sattn_tile.load %v[%x] : !sattn_tile.view<f32, 4> -> !sattn_tile.tile<4x4xf32>
    %u = sattn_tile.load %v[%y] : !sattn_tile.view<f32, 4> -> !sattn_tile.tile<4x4xf32>
    %n = sattn_tile.cover hull(%x to %y) full(%x to %y)
    // The tile that a loop starts from is read inside the loop.
    // expected-error@+1 {{updates a tile that is read later or updated twice}}
    %d = sattn_tile.stream %j in %n carry(%m = %t) : !sattn_tile.tile<4x4xf32> {
      // expected-note@+1 {{the other use is here}}
      %e = sattn_tile.dot nn %t, %u add %m : !sattn_tile.tile<4x4xf32>, !sattn_tile.tile<4x4xf32>, !sattn_tile.tile<4x4xf32> -> !sattn_tile.tile<4x4xf32>
      sattn_tile.yield %e : !sattn_tile.tile<4x4xf32>
    }
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    %t = sattn_tile.load %v[%x] : !sattn_tile.view<f32, 4> -> !sattn_tile.tile<4x4xf32>
    %u = sattn_tile.load %v[%y] : !sattn_tile.view<f32, 4> -> !sattn_tile.tile<4x4xf32>
    %n = sattn_tile.cover hull(%x to %y) full(%x to %y)
    %d = sattn_tile.stream %j in %n carry(%m = %u) : !sattn_tile.tile<4x4xf32> {
      // expected-error@+1 {{updates a tile from outside the loop: carry it}}
      %e = sattn_tile.dot nn %m, %m add %t : !sattn_tile.tile<4x4xf32>, !sattn_tile.tile<4x4xf32>, !sattn_tile.tile<4x4xf32> -> !sattn_tile.tile<4x4xf32>
      sattn_tile.yield %e : !sattn_tile.tile<4x4xf32>
    }
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    %t = sattn_tile.load %v[%x] : !sattn_tile.view<f32, 4> -> !sattn_tile.tile<4x4xf32>
    %u = sattn_tile.load %v[%y] : !sattn_tile.view<f32, 4> -> !sattn_tile.tile<4x4xf32>
    %n = sattn_tile.cover hull(%x to %y) full(%x to %y)
    // expected-error@+1 {{yields a tile from outside its body as carried value 0}}
    %d = sattn_tile.stream %j in %n carry(%m = %u) : !sattn_tile.tile<4x4xf32> {
      sattn_tile.yield %t : !sattn_tile.tile<4x4xf32>
    }
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    %t = sattn_tile.load %v[%x] : !sattn_tile.view<f32, 4> -> !sattn_tile.tile<4x4xf32>
    %u = sattn_tile.load %v[%y] : !sattn_tile.view<f32, 4> -> !sattn_tile.tile<4x4xf32>
    %n = sattn_tile.cover hull(%x to %y) full(%x to %y)
    // Two carried tiles change places.
    // expected-error@+1 {{yields a tile in the place of another as carried value 0}}
    %d:2 = sattn_tile.stream %j in %n carry(%m = %u, %o = %t) : !sattn_tile.tile<4x4xf32>, !sattn_tile.tile<4x4xf32> {
      sattn_tile.yield %o, %m : !sattn_tile.tile<4x4xf32>, !sattn_tile.tile<4x4xf32>
    }
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    %t = sattn_tile.load %v[%x] : !sattn_tile.view<f32, 4> -> !sattn_tile.tile<4x4xf32>
    %u = sattn_tile.load %v[%y] : !sattn_tile.view<f32, 4> -> !sattn_tile.tile<4x4xf32>
    %n = sattn_tile.cover hull(%x to %y) full(%x to %y)
    // A loop of the upstream dialect carries tiles by the same rule.
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    // expected-error@+1 {{updates a tile that is read later or updated twice}}
    %d = scf.for %j = %c0 to %x step %c1 iter_args(%m = %t) -> (!sattn_tile.tile<4x4xf32>) {
      %e = sattn_tile.dot nn %u, %u add %m : !sattn_tile.tile<4x4xf32>, !sattn_tile.tile<4x4xf32>, !sattn_tile.tile<4x4xf32> -> !sattn_tile.tile<4x4xf32>
      scf.yield %e : !sattn_tile.tile<4x4xf32>
    }
    // expected-note@+1 {{the other use is here}}
    %f = sattn_tile.dot nt %t, %u : !sattn_tile.tile<4x4xf32>, !sattn_tile.tile<4x4xf32> -> !sattn_tile.tile<4x4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    %t = sattn_tile.load %v[%x] : !sattn_tile.view<f32, 4> -> !sattn_tile.tile<4x4xf32>
    %u = sattn_tile.load %v[%y] : !sattn_tile.view<f32, 4> -> !sattn_tile.tile<4x4xf32>
    %n = sattn_tile.cover hull(%x to %y) full(%x to %y)
    %p0 = sattn_tile.top_init : !sattn_tile.top<4x2>
    %p1 = sattn_tile.top_push %p0, %t ids(%x) rows(%y) symbols() {forced = [], row_map = affine_map<(r) -> (r)>} : !sattn_tile.top<4x2>, !sattn_tile.tile<4x4xf32>
    // expected-error@+1 {{updates a tile that is read later or updated twice}}
    %p2 = sattn_tile.top_push %p1, %u ids(%x) rows(%y) symbols() {forced = [], row_map = affine_map<(r) -> (r)>} : !sattn_tile.top<4x2>, !sattn_tile.tile<4x4xf32>
    // expected-note@+1 {{the other use is here}}
    %i:2 = sattn_tile.top_list %p1 : !sattn_tile.top<4x2> -> !sattn_tile.tile<4x2xi32>, !sattn_tile.tile<4x2xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    %t = sattn_tile.load %v[%x] : !sattn_tile.view<f32, 4> -> !sattn_tile.tile<4x4xf32>
    %mass = arith.constant 0.9 : f32
    %p0 = sattn_tile.top_init : !sattn_tile.top<4x2>
    %p1 = sattn_tile.top_push %p0, %t ids(%x) rows(%y) symbols() {forced = [], row_map = affine_map<(r) -> (r)>} : !sattn_tile.top<4x2>, !sattn_tile.tile<4x4xf32>
    // expected-error@+1 {{updates a tile that is read later or updated twice}}
    %p2 = sattn_tile.top_mass %p1 to(%mass) : !sattn_tile.top<4x2>
    // expected-note@+1 {{the other use is here}}
    %i:2 = sattn_tile.top_list %p1 : !sattn_tile.top<4x2> -> !sattn_tile.tile<4x2xi32>, !sattn_tile.tile<4x2xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}
