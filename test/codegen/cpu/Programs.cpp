// The program texts of Programs.h.
#include "test/codegen/cpu/Programs.h"

using namespace sattn::cpu::test;

// Replaces every $name$ of `text`.
static std::string expand(std::string text, const std::vector<std::pair<std::string, std::string>> &names) {
  for (const auto &[name, value] : names)
    for (size_t at; (at = text.find("$" + name + "$")) != std::string::npos;)
      text.replace(at, name.size() + 2, value);
  return text;
}

static void replaceAll(std::string &text, const std::string &from, const std::string &to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

std::string sattn::cpu::test::oneKernel(const std::string &args, const std::string &body,
                                        const std::vector<std::pair<std::string, std::string>> &names) {
  std::string text = expand("sattn_tile.program @p {\n sattn_tile.kernel @k(" + args + ") grid(%gx, %gy, %gz) {\n" +
                                body + "\n sattn_tile.return\n }\n sattn_tile.plan {}\n}",
                            names);
  for (const auto &[from, to] : {std::pair<std::string, std::string>{" A<", " !sattn_tile.arg<"},
                                 {" V<", " !sattn_tile.view<"},
                                 {" T<", " !sattn_tile.tile<"},
                                 {" Top<", " !sattn_tile.top<"},
                                 {" @load", " sattn_tile.load"}})
    replaceAll(text, from, to);
  for (const char *op :
       {"columns",      "hadamard",       "length", "members", "slice",    "store", "gather", "entry",
        "scatter",      "private",        "fill",   "dot",     "map",      "mask",  "reduce", "row_scan",
        "softmax_step", "softmax_finish", "merge",  "splat",   "iota",     "cover", "stream", "yield",
        "pool",         "top_",           "invert", "count",   "of_batch", "choose"})
    replaceAll(text, std::string(" @") + op, std::string(" sattn_tile.") + op);
  return text;
}

std::string sattn::cpu::test::attendProgram(const AttendSpec &spec) {
  const char *text = R"(
sattn_tile.program @window {
  sattn_tile.kernel @pack_k(%k: $ARG_K$, %kp: $ARG_KP$) grid(%j, %h, %b) {
    %c = arith.constant $BN$ : index
    %p = arith.muli %j, %c : index
    %src = sattn_tile.slice %k[%b, %h] : $ARG_K$ -> $VIEW_K$
    %dst = sattn_tile.slice %kp[%b, %h] : $ARG_KP$ -> $VIEW_KP$
    %t = sattn_tile.load %src[%p] : $VIEW_K$ -> $TILE_K$
    sattn_tile.store %t, %dst[%p] : $TILE_K$, $VIEW_KP$
    sattn_tile.return
  }
  sattn_tile.kernel @pack_v(%k: $ARG_V$, %kp: $ARG_VP$) grid(%j, %h, %b) {
    %c = arith.constant $BN$ : index
    %p = arith.muli %j, %c : index
    %src = sattn_tile.slice %k[%b, %h] : $ARG_V$ -> $VIEW_V$
    %dst = sattn_tile.slice %kp[%b, %h] : $ARG_VP$ -> $VIEW_VP$
    %t = sattn_tile.load %src[%p] : $VIEW_V$ -> $TILE_V$
    sattn_tile.store %t, %dst[%p] : $TILE_V$, $VIEW_VP$
    sattn_tile.return
  }
  sattn_tile.kernel @attend(%q: $ARG_Q$, %kp: $ARG_KP$, %vp: $ARG_VP$, %o: $ARG_O$, %lse: !sattn_tile.arg<f32, 1>,
                            %qoff: !sattn_tile.per_batch, %klen: !sattn_tile.per_batch,
                            %w: index, %scale: f32) grid(%i, %h, %b) {
    %c0 = arith.constant 0 : index
    %bn = arith.constant $BN$ : index
    %bq = arith.constant $BQ$ : index
    %g = arith.constant $GROUP$ : index
    %one = arith.constant 1 : index
    %p = arith.muli %i, %bq : index
    %hk = arith.floordivsi %h, %g : index
    %q0 = sattn_tile.of_batch %qoff[%b]
    %n = sattn_tile.of_batch %klen[%b]
    %t0 = arith.addi %q0, %p : index
    %t1 = arith.addi %t0, %bq : index
    %qv = sattn_tile.slice %q[%b, %h] : $ARG_Q$ -> $VIEW_Q$
    %kv = sattn_tile.slice %kp[%b, %hk] limit %n : $ARG_KP$ -> $VIEW_KP$
    %vv = sattn_tile.slice %vp[%b, %hk] limit %n : $ARG_VP$ -> $VIEW_VP$
    %ov = sattn_tile.slice %o[%b, %h] : $ARG_O$ -> $VIEW_O$
    %lv = sattn_tile.slice %lse[%b, %h] : !sattn_tile.arg<f32, 1> -> !sattn_tile.view<f32, 1>
    %qt = sattn_tile.load %qv[%p] : $VIEW_Q$ -> $TILE_Q$
    %qs = sattn_tile.map (%e = %qt, %c = %scale) : $TILE_Q$, f32 -> $TILE_Q$ {
      %y = arith.mulf %e, %c : f32
      sattn_tile.yield %y : f32
    }
    %end = arith.minsi %t1, %n : index
    %hi = arith.ceildivsi %end, %bn : index
    %w0 = arith.subi %t0, %w : index
    %w1 = arith.addi %w0, %one : index
    %first = arith.maxsi %w1, %c0 : index
    %lo = arith.floordivsi %first, %bn : index
    %wf = arith.subi %t1, %w : index
    %wf0 = arith.maxsi %wf, %c0 : index
    %fl = arith.ceildivsi %wf0, %bn : index
    %t01 = arith.addi %t0, %one : index
    %fe = arith.minsi %t01, %n : index
    %fh = arith.floordivsi %fe, %bn : index
    %cover = sattn_tile.cover hull(%lo to %hi) full(%fl to %fh)
    %m0 = sattn_tile.splat 0xFF800000 : $ROWS$
    %l0 = sattn_tile.splat 0.0 : $ROWS$
    %a0 = sattn_tile.splat 0.0 : $TILE_O$
    %r:3 = sattn_tile.stream %j in %cover carry(%m = %m0, %l = %l0, %a = %a0) : $ROWS$, $ROWS$, $TILE_O$ {
      %s0 = arith.muli %j, %bn : index
      %kt = sattn_tile.load %kv[%s0] : $VIEW_KP$ -> $TILE_K$
      %vt = sattn_tile.load %vv[%s0] : $VIEW_VP$ -> $TILE_V$
      %s = sattn_tile.dot nt %qs, %kt : $TILE_Q$, $TILE_K$ -> $TILE_S$
      %s1 = sattn_tile.mask %s rows(%t0) cols(%s0) symbols(%w, %n) {row_map = affine_map<(r) -> (r)>, sets = [$SETS$]} : $TILE_S$
      %m1, %l1, %al, %pt = sattn_tile.softmax_step %s1, %m, %l : $TILE_S$, $ROWS$
      %a1 = sattn_tile.dot nn %pt, %vt add %a scaled %al : $TILE_S$, $TILE_V$, $TILE_O$, $ROWS$ -> $TILE_O$
      sattn_tile.yield %m1, %l1, %a1 : $ROWS$, $ROWS$, $TILE_O$
    }
    %ot, %lt = sattn_tile.softmax_finish %r#0, %r#1, %r#2 : $ROWS$, $TILE_O$
    sattn_tile.store %ot, %ov[%p] : $TILE_O$, $VIEW_O$
    sattn_tile.store %lt, %lv[%p] : $ROWS$, !sattn_tile.view<f32, 1>
    sattn_tile.return
  }
  sattn_tile.plan {}
})";
  auto n = [](int64_t value) { return std::to_string(value); };
  std::string kLayout = ", <block = " + n(spec.keys) + ", rows by " + n(spec.width) + ">";
  std::string vLayout = ", <block = " + n(spec.keys) + ", cols by " + n(spec.width) + ">";
  auto both = [&](const std::string &name, const std::string &content) {
    return std::vector<std::pair<std::string, std::string>>{{"ARG_" + name, "!sattn_tile.arg<" + content + ">"},
                                                            {"VIEW_" + name, "!sattn_tile.view<" + content + ">"}};
  };
  auto tile = [&](int64_t rows, int64_t cols) { return "!sattn_tile.tile<" + n(rows) + "x" + n(cols) + "xf32>"; };
  std::vector<std::pair<std::string, std::string>> names = {{"BN", n(spec.keys)},
                                                            {"BQ", n(spec.rows)},
                                                            {"GROUP", n(spec.group)},
                                                            {"SETS", spec.sets},
                                                            {"ROWS", "!sattn_tile.tile<" + n(spec.rows) + "xf32>"},
                                                            {"TILE_Q", tile(spec.rows, spec.d)},
                                                            {"TILE_K", tile(spec.keys, spec.d)},
                                                            {"TILE_V", tile(spec.keys, spec.dv)},
                                                            {"TILE_S", tile(spec.rows, spec.keys)},
                                                            {"TILE_O", tile(spec.rows, spec.dv)}};
  for (const auto &[name, content] : {std::pair<std::string, std::string>{"Q", spec.type + ", " + n(spec.d)},
                                      {"K", spec.type + ", " + n(spec.d)},
                                      {"V", spec.type + ", " + n(spec.dv)},
                                      {"O", spec.type + ", " + n(spec.dv)},
                                      {"KP", "f32, " + n(spec.d) + kLayout},
                                      {"VP", "f32, " + n(spec.dv) + vLayout}})
    for (auto &pair : both(name, content))
      names.push_back(pair);
  return expand(text, names);
}

std::string sattn::cpu::test::selectedProgram(const SelectedSpec &spec) {
  AttendSpec pack;
  pack.d = pack.dv = spec.d;
  pack.width = spec.width;
  std::string text = attendProgram(pack);
  const char *kernel = R"(
  sattn_tile.kernel @selected(%q: $AQ$, %kp: $AK$, %vp: $AV$, %sel: $AS$, %o: $AQ$, %lse: $AL$, %scale: f32) grid(%i, %h, %b) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %cq = arith.constant $CQ$ : index
    %m64 = arith.constant $MEMBERS$ : index
    %steps = arith.constant $STEPS$ : index
    %p = arith.muli %i, %cq : index
    %qv = sattn_tile.slice %q[%b, %h] : $AQ$ -> $VQ$
    %ov = sattn_tile.slice %o[%b, %h] : $AQ$ -> $VQ$
    %lv = sattn_tile.slice %lse[%b, %h] : $AL$ -> $VL$
    %kv = sattn_tile.slice %kp[%b, %h] : $AK$ -> $VK$
    %vv = sattn_tile.slice %vp[%b, %h] : $AV$ -> $VV$
    %sv = sattn_tile.slice %sel[%b, %h] : $AS$ -> $VS$
    %keys = sattn_tile.count positions of %kp : $AK$
    %units = arith.ceildivsi %keys, %c64 : index
    %qp = sattn_tile.private $CQ$ : $VQ$
    %ap = sattn_tile.private $CQ$ : $VQ$
    %mp = sattn_tile.private $CQ$ : $VL$
    %lp = sattn_tile.private $CQ$ : $VL$
    %zero = arith.constant 0.0 : f32
    %inf = arith.constant 0xFF800000 : f32
    sattn_tile.fill %zero, %ap : $VQ$
    sattn_tile.fill %zero, %lp : $VL$
    sattn_tile.fill %inf, %mp : $VL$
    scf.for %u = %c0 to %steps step %c1 {
      %at = arith.muli %u, %m64 : index
      %from = arith.addi %p, %at : index
      %t = sattn_tile.load %qv[%from] : $VQ$ -> $TQ$
      %ts = sattn_tile.map (%e = %t, %c = %scale) : $TQ$, f32 -> $TQ$ {
        %y = arith.mulf %e, %c : f32
        sattn_tile.yield %y : f32
      }
      sattn_tile.store %ts, %qp[%at] : $TQ$, $VQ$
    }
    %inv = sattn_tile.invert %sv[%p] count $CQ$ units(%units) : $VS$
    sattn_tile.stream_inverse (%j, %ids, %slots) in %inv members $MEMBERS$ {
      %s0 = arith.muli %j, %c64 : index
      %s1 = arith.addi %s0, %c64 : index
      %edge = arith.cmpi sgt, %s1, %p : index
      %kt = sattn_tile.load %kv[%s0] : $VK$ -> $TK$
      %vt = sattn_tile.load %vv[%s0] : $VV$ -> $TK$
      %qt = sattn_tile.gather %qp[%c0 + %ids] : $VQ$, $TI$ -> $TQ$
      %m = sattn_tile.gather %mp[%c0 + %ids] : $VL$, $TI$ -> $TR$
      %l = sattn_tile.gather %lp[%c0 + %ids] : $VL$, $TI$ -> $TR$
      %a = sattn_tile.gather %ap[%c0 + %ids] : $VQ$, $TI$ -> $TQ$
      %s = sattn_tile.dot nt %qt, %kt : $TQ$, $TK$ -> $TS$
      %sm = sattn_tile.mask %s rows(%p + %ids : $TI$) cols(%s0) symbols(%keys) when %edge {row_map = affine_map<(r) -> (r)>, sets = [affine_set<(t, s)[n] : (t - s >= 0, n - 1 - s >= 0)>]} : $TS$
      %m1, %l1, %al, %pt = sattn_tile.softmax_step %sm, %m, %l : $TS$, $TR$
      %a1 = sattn_tile.dot nn %pt, %vt add %a scaled %al : $TS$, $TK$, $TQ$, $TR$ -> $TQ$
      sattn_tile.scatter %m1, %mp[%c0 + %ids] : $TR$, $VL$, $TI$
      sattn_tile.scatter %l1, %lp[%c0 + %ids] : $TR$, $VL$, $TI$
      sattn_tile.scatter %a1, %ap[%c0 + %ids] : $TQ$, $VQ$, $TI$
    }
    scf.for %u = %c0 to %steps step %c1 {
      %at = arith.muli %u, %m64 : index
      %to = arith.addi %p, %at : index
      %m = sattn_tile.load %mp[%at] : $VL$ -> $TR$
      %l = sattn_tile.load %lp[%at] : $VL$ -> $TR$
      %a = sattn_tile.load %ap[%at] : $VQ$ -> $TQ$
      %ot, %lt = sattn_tile.softmax_finish %m, %l, %a : $TR$, $TQ$
      sattn_tile.store %ot, %ov[%to] : $TQ$, $VQ$
      sattn_tile.store %lt, %lv[%to] : $TR$, $VL$
    }
    sattn_tile.return
  }
  sattn_tile.plan {})";
  text.replace(text.rfind("sattn_tile.plan {}"), std::string("sattn_tile.plan {}").size(), kernel);
  auto n = [](int64_t value) { return std::to_string(value); };
  int64_t members = 64 / spec.group;
  std::string d = n(spec.d), group = ", group = " + n(spec.group), arg = "!sattn_tile.arg<", view = "!sattn_tile.view<",
              tile = "!sattn_tile.tile<", k = "f32, " + d + ", <block = 64, rows by " + n(spec.width) + ">>",
              v = "f32, " + d + ", <block = 64, cols by " + n(spec.width) + ">>";
  return expand(text, {{"AQ", arg + "f32, " + d + ">"},
                       {"VQ", view + "f32, " + d + group + ">"},
                       {"AL", arg + "f32, 1>"},
                       {"VL", view + "f32, 1" + group + ">"},
                       {"AS", arg + "i32, " + n(spec.count) + ">"},
                       {"VS", view + "i32, " + n(spec.count) + ">"},
                       {"AK", arg + k},
                       {"VK", view + k},
                       {"AV", arg + v},
                       {"VV", view + v},
                       {"TQ", tile + "64x" + d + "xf32>"},
                       {"TK", tile + "64x" + d + "xf32>"},
                       {"TS", tile + "64x64xf32>"},
                       {"TR", tile + "64xf32>"},
                       {"TI", tile + n(members) + "xi32>"},
                       {"CQ", n(spec.chunk)},
                       {"MEMBERS", n(members)},
                       {"STEPS", n(spec.chunk / members)}});
}
