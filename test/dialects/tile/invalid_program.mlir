// RUN: sparse-attn-opt %s --split-input-file --verify-diagnostics

// Each refusal of programs, plans and whole kernels.

sattn_tile.program @p {
  // expected-error@+1 {{cannot stand in a program: a program holds kernels, functions and one plan}}
  %c0 = arith.constant 0 : index
  sattn_tile.plan { }
}

// -----

// expected-error@+1 {{expected exactly one plan, but got 0}}
sattn_tile.program @p {
  sattn_tile.kernel @k() grid(%x, %y, %z) {
    sattn_tile.return
  }
}

// -----

sattn_tile.program @p {
  // expected-error@+1 {{expected three grid coordinates}}
  sattn_tile.kernel @k() grid(%x, %y) {
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  // expected-error@+1 {{expected 1 operands and three grid coordinates, but got 3 arguments}}
  "sattn_tile.kernel"() <{sym_name = "k", arg_names = ["a"]}> ({
  ^bb0(%x: index, %y: index, %z: index):
    sattn_tile.return
  }) : () -> ()
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  // expected-error@+1 {{expected grid coordinates of type index}}
  "sattn_tile.kernel"() <{sym_name = "k", arg_names = []}> ({
  ^bb0(%x: index, %y: index, %z: i32):
    sattn_tile.return
  }) : () -> ()
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  // expected-error@+1 {{expected operands of type arg, per_batch, index or f32, but got 'f64'}}
  sattn_tile.kernel @k(%a: f64) grid(%x, %y, %z) {
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>, %n: index) grid(%x, %y, %z) {
    sattn_tile.return
  }
  sattn_tile.plan {
    %c = arith.constant 1 : index
    // expected-error@+1 {{launches unknown kernel 'other'}}
    sattn_tile.launch @other grid(%c, %c, %c) args()
  }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>, %n: index) grid(%x, %y, %z) {
    sattn_tile.return
  }
  sattn_tile.plan {
    %c = arith.constant 1 : index
    // expected-error@+1 {{gives 1 operands to kernel 'k', which has 2}}
    sattn_tile.launch @k grid(%c, %c, %c) args(%c : index)
  }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>, %n: index) grid(%x, %y, %z) {
    sattn_tile.return
  }
  sattn_tile.plan {
    %c = arith.constant 1 : index
    // expected-error@+1 {{operand 0 of kernel 'k' has type '!sattn_tile.arg<f32, 4>', but got 'index'}}
    sattn_tile.launch @k grid(%c, %c, %c) args(%c, %c : index, index)
  }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>, %n: index) grid(%x, %y, %z) {
    sattn_tile.return
  }
  sattn_tile.plan {
    %c = arith.constant 1 : index
    %q = sattn_tile.role "q" : !sattn_tile.arg<f32, 4>
    // expected-error@+1 {{expected an order that lists x, y and z once each, '-' before those that run from the end}}
    sattn_tile.launch @k grid(%c, %c, %c) args(%q, %c : !sattn_tile.arg<f32, 4>, index) {order = ["-x", "y", "y"]}
  }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>, %n: index) grid(%x, %y, %z) {
    sattn_tile.return
  }
  sattn_tile.plan {
    // expected-error@+1 {{expected 'q_offset', 'kv_offset' or 'kv_len', but got 'offset'}}
    %o = sattn_tile.offsets "offset"
  }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>, %n: index) grid(%x, %y, %z) {
    sattn_tile.return
  }
  sattn_tile.plan {
    // expected-error@+1 {{cannot stand in a plan: a plan holds names of the call, workspaces, arith, launches and loops}}
    %o = sattn_tile.splat 0.0 : !sattn_tile.tile<4xf32>
  }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>, %n: index) grid(%x, %y, %z) {
    sattn_tile.return
  }
  sattn_tile.plan {
    %c = arith.constant 1 : index
    %w = sattn_tile.workspace "w"[%c, %c, %c] : !sattn_tile.arg<f32, 4>
    // expected-error@+1 {{workspace 'w' is declared twice}}
    %v = sattn_tile.workspace "w"[%c, %c, %c] : !sattn_tile.arg<f32, 4>
  }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @read(%a: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    %t = sattn_tile.load %v[%x] : !sattn_tile.view<f32, 4> -> !sattn_tile.tile<4x4xf32>
    sattn_tile.return
  }
  sattn_tile.plan {
    %c = arith.constant 1 : index
    %w = sattn_tile.workspace "w"[%c, %c, %c] : !sattn_tile.arg<f32, 4>
    // expected-error@+1 {{reads workspace 'w' before any launch writes it}}
    sattn_tile.launch @read grid(%c, %c, %c) args(%w : !sattn_tile.arg<f32, 4>)
  }
}

// -----

sattn_tile.program @p {
  // expected-error@+1 {{reads and writes operand 'a': data passes between tasks only through the next launch}}
  sattn_tile.kernel @k(%a: !sattn_tile.arg<f32, 4>) grid(%x, %y, %z) {
    %v = sattn_tile.slice %a[%z, %y] : !sattn_tile.arg<f32, 4> -> !sattn_tile.view<f32, 4>
    %t = sattn_tile.load %v[%x] : !sattn_tile.view<f32, 4> -> !sattn_tile.tile<4x4xf32>
    sattn_tile.store %t, %v[%x] : !sattn_tile.tile<4x4xf32>, !sattn_tile.view<f32, 4>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  // expected-error@+1 {{expected a function of f32 and i32 to one f32, but got '(f64) -> f32'}}
  sattn_tile.function @f : (f64) -> f32 cuda text ""
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.kernel @k(%a: f32) grid(%x, %y, %z) {
    %0 = "sattn_tile.map"(%a) ({
    ^bb0(%b: f32):
      // expected-error@+1 {{calls unknown function 'f'}}
      %c = sattn_tile.call @f(%b) : f32
      sattn_tile.yield %c : f32
    }) : (f32) -> !sattn_tile.tile<4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}

// -----

sattn_tile.program @p {
  sattn_tile.function @f : (f32, i32) -> f32 cuda text ""
  sattn_tile.kernel @k(%a: f32) grid(%x, %y, %z) {
    %0 = "sattn_tile.map"(%a) ({
    ^bb0(%b: f32):
      // expected-error@+1 {{arguments do not fit function 'f' of type '(f32, i32) -> f32'}}
      %c = sattn_tile.call @f(%b) : f32
      sattn_tile.yield %c : f32
    }) : (f32) -> !sattn_tile.tile<4xf32>
    sattn_tile.return
  }
  sattn_tile.plan { }
}
