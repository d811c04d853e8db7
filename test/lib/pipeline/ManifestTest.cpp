// planToManifest: what the runtime reads from it is what the plan said. Programs are text; each case is the plan of
// one.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "runtime/Manifest.h"
#include "dialects/tile/Tile.h"
#include "lib/pipeline/PlanToManifest.h"
#include "lib/support/DiagnosticLog.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include <doctest/doctest.h>

using namespace sattn;

namespace {

constexpr const char *interface = R"mlir(attributes {
  roles = [{name = "q", axes = ["t", "h", "D"], inner = 64 : i64, dtype = "f16"},
           {name = "k", axes = ["s", "g", "D"], inner = 64 : i64, dtype = "f16"},
           {name = "m", axes = ["c(32, 16)", "g", "D"], inner = 64 : i64, dtype = "f32"}],
  results = [{name = "o", axes = ["t", "h", "D"], inner = 64 : i64, dtype = "f16"},
             {name = "kc", axes = ["c(8)", "g", "D"], inner = 64 : i64, dtype = "f32"}],
  params = [{name = "W", type = "int", default = 512 : i64}, {name = "scale", type = "float", default = 0.125 : f64},
            {name = "n", type = "int"}],
  requires = [{check = ["==", "h", ["*", "g", 4 : i64]], message = "four heads"}]})mlir";

constexpr const char *kernels = R"mlir(
  sattn_tile.kernel @pack(%k: !sattn_tile.arg<f16, 64>, %p: !sattn_tile.arg<f32, 64, <block = 64, rows by 4>>) grid(%x, %y, %z) {
    %c = arith.constant 64 : index
    %r = arith.muli %x, %c : index
    %v = sattn_tile.slice %k[%z, %y] : !sattn_tile.arg<f16, 64> -> !sattn_tile.view<f16, 64>
    %t = sattn_tile.load %v[%r] : !sattn_tile.view<f16, 64> -> !sattn_tile.tile<64x64xf32>
    %w = sattn_tile.slice %p[%z, %y] : !sattn_tile.arg<f32, 64, <block = 64, rows by 4>> -> !sattn_tile.view<f32, 64, <block = 64, rows by 4>>
    sattn_tile.store %t, %w[%r] : !sattn_tile.tile<64x64xf32>, !sattn_tile.view<f32, 64, <block = 64, rows by 4>>
    sattn_tile.return
  }
  sattn_tile.kernel @use(%p: !sattn_tile.arg<f32, 64, <block = 64, rows by 4>>, %o: !sattn_tile.arg<f16, 64>, %n: index, %c: f32, %d: f32, %b: !sattn_tile.per_batch) grid(%x, %y, %z) {
    sattn_tile.return
  }
)mlir";

constexpr const char *streamKernel = R"mlir(
  sattn_tile.kernel @stream(%k: !sattn_tile.arg<f32, 64>, %o: !sattn_tile.per_batch, %n: index) grid(%x, %y, %z) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c3 = arith.constant 3 : index
    %c16 = arith.constant 16 : index
    %c64 = arith.constant 64 : index
    %entry = sattn_tile.of_batch %o[%z]
    %positions = sattn_tile.count positions of %k : !sattn_tile.arg<f32, 64>
    %view = sattn_tile.slice %k[%z, %y] : !sattn_tile.arg<f32, 64> -> !sattn_tile.view<f32, 64>
    %q = sattn_tile.splat 1.0 : !sattn_tile.tile<16x64xf32>
    %less = arith.cmpi slt, %x, %y : index
    %turns = arith.ceildivsi %n, %c16 : index
    scf.for %i = %c0 to %turns step %c1 {
      %lo = arith.addi %entry, %i : index
      %far = arith.shrsi %n, %c3 : index
      %near = arith.muli %x, %c64 : index
      %hi = arith.select %less, %far, %near : index
      %full = arith.andi %positions, %c3 : index
      %cover = sattn_tile.cover hull(%lo to %hi) full(%full to %lo)
      %r = sattn_tile.stream %j in %cover carry(%a = %q) : !sattn_tile.tile<16x64xf32> {
        %first = arith.muli %j, %c64 : index
        %keys = sattn_tile.load %view[%first] : !sattn_tile.view<f32, 64> -> !sattn_tile.tile<64x64xf32>
        %s = sattn_tile.dot nt %q, %keys : !sattn_tile.tile<16x64xf32>, !sattn_tile.tile<64x64xf32> -> !sattn_tile.tile<16x64xf32>
        sattn_tile.yield %s : !sattn_tile.tile<16x64xf32>
      }
    }
    sattn_tile.return
  }
)mlir";
constexpr const char *streamPlan = R"mlir(
  %t = sattn_tile.dim "t"
  %k = sattn_tile.role "k" : !sattn_tile.arg<f32, 64>
  %o = sattn_tile.offsets "kv_len"
  sattn_tile.launch @stream grid(%t, %t, %t) args(%k, %o, %t : !sattn_tile.arg<f32, 64>, !sattn_tile.per_batch, index)
)mlir";

class Program {
public:
  explicit Program(const std::string &plan, const char *attributes = interface, const char *kernels = ::kernels,
                   const char *only = nullptr)
      : text("sattn_tile.program @test " + std::string(attributes) + " {" + kernels + "sattn_tile.plan {\n" + plan +
             "\n} }"),
        log(context, "test", text) {
    mlir::DialectRegistry registry;
    registerTileDialect(registry);
    registry.insert<mlir::scf::SCFDialect>();
    context.appendDialectRegistry(registry);
    module = mlir::parseSourceString<mlir::ModuleOp>(text, mlir::ParserConfig(&context), "test");
    if (module)
      for (auto program : module->getOps<tile::ProgramOp>()) {
        ManifestFacts facts{"build 1", "cpu-avx2", "sattn.pattern @test",    "D=64,dtype=f16",
                            {},        "test",     {{"remarks", {"a", "b"}}}};
        facts.kernels = {{"pack", "pack_symbol", 4096}, {"use", "use", 0}};
        if (only)
          facts.kernels = {{only, only, 0}};
        FailureOr<std::string> made = planToManifest(program, facts);
        if (succeeded(made))
          manifest = *made;
        FailureOr<std::string> again = planToManifest(program, facts);
        CHECK((failed(made) || *made == *again));
      }
  }

  rt::Manifest read() const {
    std::vector<rt::Manifest> list;
    rt::Status status = rt::parseManifests(manifest, list);
    INFO(status.text(), "\n", manifest, log.text());
    REQUIRE(!status.failed());
    return list.front();
  }

  std::string text, manifest;
  MLIRContext context;
  DiagnosticLog log;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

bool holds(const std::string &text, const std::string &part) { return text.find(part) != std::string::npos; }

constexpr const char *plan = R"mlir(
  %B = sattn_tile.dim "B"
  %s = sattn_tile.dim "s"
  %t = sattn_tile.dim "t"
  %g = sattn_tile.dim "g"
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %blocks = arith.ceildivsi %s, %c64 : index
  %k = sattn_tile.role "k" : !sattn_tile.arg<f16, 64>
  %o = sattn_tile.result "o" : !sattn_tile.arg<f16, 64>
  %W = sattn_tile.param "W" : index
  %w1 = arith.addi %W, %c1 : index
  %scale = sattn_tile.param "scale" : f32
  %half = arith.constant 5.000000e-01 : f32
  %off = sattn_tile.offsets "q_offset"
  %p = sattn_tile.workspace "packed"[%B, %s, %g] : !sattn_tile.arg<f32, 64, <block = 64, rows by 4>>
  %waves = arith.ceildivsi %g, %c64 : index
  sattn_tile.loop %i to %waves {
    %h = arith.muli %i, %c64 : index
    %left = arith.subi %g, %h : index
    %n = arith.minsi %left, %c64 : index
    sattn_tile.launch @pack grid(%blocks, %n, %B) args(%k, %p : !sattn_tile.arg<f16, 64>, !sattn_tile.arg<f32, 64, <block = 64, rows by 4>>)
  }
  sattn_tile.launch @use grid(%blocks, %t, %B) args(%p, %o, %w1, %scale, %half, %off : !sattn_tile.arg<f32, 64, <block = 64, rows by 4>>, !sattn_tile.arg<f16, 64>, index, f32, f32, !sattn_tile.per_batch) {order = ["-x", "z", "y"]}
)mlir";

} // namespace

TEST_CASE("the runtime reads what the plan says") {
  Program program(plan);
  rt::Manifest manifest = program.read();
  CHECK(manifest.name == "test");
  CHECK(manifest.build == "build 1");
  CHECK(manifest.request.bind == "D=64,dtype=f16");
  CHECK(manifest.roles.size() == 3);
  CHECK(manifest.roles[0].dtype == rt::Dtype::F16);
  CHECK(manifest.results.size() == 2);
  REQUIRE(manifest.params.size() == 3);
  CHECK(manifest.params[0].intDefault == 512);
  CHECK(manifest.params[1].floatDefault == 0.125);
  CHECK(!manifest.params[2].hasDefault);
  REQUIRE(manifest.steps.size() == 2);
  CHECK(manifest.steps[0].kind == rt::Step::Kind::Loop);
  CHECK(manifest.steps[0].body.size() == 1);
  const rt::Step &use = manifest.steps[1];
  CHECK(use.order[0].axis == 0);
  CHECK(use.order[0].reversed);
  REQUIRE(use.args.size() == 6);
  CHECK(use.args[0].kind == rt::KernelArg::Kind::Workspace);
  CHECK(use.args[1].kind == rt::KernelArg::Kind::Result);
  CHECK(use.args[2].kind == rt::KernelArg::Kind::Index);
  CHECK(use.args[3].kind == rt::KernelArg::Kind::FloatParam);
  CHECK(use.args[4].constant == 0.5f);
  CHECK(use.args[5].kind == rt::KernelArg::Kind::PerBatch);
  REQUIRE(manifest.workspaces.size() == 1);
  CHECK(manifest.workspaces[0].first == 0);
  CHECK(manifest.workspaces[0].last == 1);
  CHECK(manifest.kernels.size() == 2);
}

TEST_CASE("workspaces hold whole blocks of their layout") {
  Program program(plan);
  const std::string &text = program.manifest;
  // Positions are counted as they are and laid out in blocks of 64 rows of 64 float32.
  CHECK(holds(text, R"json("bytes":["*",["*",["*","B","g"],["*",["ceildiv","s",64],64]],256])json"));
  CHECK(holds(text, R"json("counts":["B","s","g"])json"));
  CHECK(holds(
      text,
      R"json("strides":[["*","g",["*",["*",["ceildiv","s",64],64],64]],64,["*",["*",["ceildiv","s",64],64],64]])json"));
}

TEST_CASE("shared values are derived once, values of a loop are written out") {
  Program program(plan);
  const std::string &text = program.manifest;
  CHECK(holds(text, R"json({"name":"e0","value":["ceildiv","s",64]})json"));
  CHECK(holds(text, R"json({"loop":{"var":"i0","count":["ceildiv","g",64]})json"));
  CHECK(holds(text, R"json("grid":["e0",["min",["-","g",["*","i0",64]],64],"B"])json"));
  CHECK(holds(text, R"json({"index":["+","$W",1]})json"));
}

TEST_CASE("axes that no role has are derived; roles over blocks are checked") {
  Program program(plan);
  const std::string &text = program.manifest;
  CHECK(holds(text, R"json({"name":"c(8)","value":["max",0,["+",["floordiv",["-","s",8],8],1]]})json"));
  CHECK(holds(text, R"json({"check":["==","h",["*","g",4]],"message":"four heads"})json"));
  CHECK(holds(text, R"json({"check":["==","c(32, 16)",["max",0,["+",["floordiv",["-","s",32],16],1]]])json"));
  CHECK(holds(text, R"json("explain":{"remarks":["a","b"]})json"));
}

TEST_CASE("reasons of the program come first in explain") {
  std::string attributes = interface;
  attributes.insert(attributes.rfind('}'), R"(, explain = {kernels = [], other = "x", choices = [
      {line = 3 : i64, kind = "range", cycles = 2.5 : f64, refused = [{kind = "masked", why = "slow"}]}]})");
  Program program(plan, attributes.c_str());
  CHECK(holds(program.manifest,
              R"json("explain":{"choices":[{"cycles":2.5,"kind":"range","line":3,)json"
              R"json("refused":[{"kind":"masked","why":"slow"}]}],"kernels":[],"remarks":["a","b"]})json"));
}

TEST_CASE("bounds of streams are written as the kernel computes them") {
  Program program(streamPlan, interface, streamKernel, "stream");
  const std::string &text = program.manifest;
  INFO(text);
  // A shift is a division, a mask a remainder, a choice a product; what is used twice has a name.
  CHECK(holds(text, R"json({"kernel":"stream","loops":[["i0",["ceildiv","a2",16]]],"streams":[)json"
                    R"json({"in":["i0"],"keys":"k","line":)json"));
  CHECK(holds(
      text,
      R"json("runs":[["e1",["+","e2",["*",["<","x","y"],["-",["floordiv","a2",8],"e2"]]],["mod","a0.positions",4],"e1"]],"tile":[16,64]})json"));
  CHECK(holds(
      text, R"json("values":[["e0",{"entry":"z","per_batch":"a1"}],["e1",["+","e0","i0"]],["e2",["*","x",64]]]})json"));
  CHECK(!program.read().explain.empty());
}

TEST_CASE("a stream whose bounds have no form says why") {
  struct {
    const char *bound, *why;
  } cases[] = {
      {"%hi = arith.divsi %n, %c3 : index", "its bounds depend on 'arith.divsi'"},
      {"%hi = arith.andi %n, %c6 : index", "its bounds depend on 'arith.andi' with anything but 2^n - 1"},
      {"%hi = scf.for %i = %c3 to %n step %c6 iter_args(%sum = %n) -> (index) {\n scf.yield %i : index\n }",
       "its bounds depend on 'scf.for'"},
      {"%hi = arith.addi %n, %turn : index", "its bounds depend on a value that a loop carries"},
  };
  for (const auto &[bound, why] : cases) {
    std::string kernel = std::string(R"mlir(
  sattn_tile.kernel @stream(%k: !sattn_tile.arg<f32, 64>, %o: !sattn_tile.per_batch, %n: index) grid(%x, %y, %z) {
    %c3 = arith.constant 3 : index
    %c6 = arith.constant 6 : index
    %q = sattn_tile.splat 1.0 : !sattn_tile.tile<16x64xf32>
    scf.for %turn = %c3 to %n step %c6 {
    )mlir") + bound + R"mlir(
      %cover = sattn_tile.cover hull(%c3 to %hi) full(%c3 to %c3)
      %r = sattn_tile.stream %j in %cover carry(%a = %q) : !sattn_tile.tile<16x64xf32> {
        sattn_tile.yield %a : !sattn_tile.tile<16x64xf32>
      }
    }
    sattn_tile.return
  }
)mlir";
    Program program(streamPlan, interface, kernel.c_str(), "stream");
    INFO(program.manifest, program.log.text());
    CHECK(holds(program.manifest, std::string("\"unknown\":\"") + why + "\""));
  }
}

TEST_CASE("what a manifest cannot say is refused at its op") {
  struct {
    const char *plan, *text;
  } cases[] = {
      {"%s = sattn_tile.dim \"s\"\n%c = arith.constant 2 : index\n%x = arith.divsi %s, %c : index",
       "test:25:6: error: has no form in a launch plan: plans compute with addi, subi, muli, ceildivsi, floordivsi, "
       "remsi, "
       "minsi, maxsi, andi, ori and signed cmpi on index"},
      {"%s = sattn_tile.dim \"s\"\n%x = arith.cmpi ult, %s, %s : index", "has no form in a launch plan"},
      {"%c = arith.constant 1 : index\n%q = sattn_tile.dim \"t\"\n%b = arith.constant dense<1> : vector<2xi32>",
       "has no form in a launch plan"},
  };
  for (const auto &[plan, text] : cases) {
    Program program(plan);
    INFO(program.log.text());
    CHECK(program.manifest.empty());
    CHECK(holds(program.log.text(), text));
  }
}

TEST_CASE("an expression of a loop does not explode") {
  std::string plan = "%c = arith.constant 5 : index\nsattn_tile.loop %i to %c {\n  %x0 = arith.addi %i, %i : index\n";
  for (int i = 0; i < 20; ++i)
    plan += "%x" + std::to_string(i + 1) + " = arith.muli %x" + std::to_string(i) + ", %x" + std::to_string(i) +
            " : index\n";
  Program loop(plan + "}");
  CHECK(
      holds(loop.log.text(), "depends on a loop and is written out more than 4096 times: compute it outside the loop"));
  // Outside a loop every shared value gets a name.
  std::string flat = "%i = sattn_tile.dim \"s\"\n%x0 = arith.addi %i, %i : index\n";
  for (int i = 0; i < 200; ++i)
    flat += "%x" + std::to_string(i + 1) + " = arith.minsi %x" + std::to_string(i) + ", %x" + std::to_string(i) +
            " : index\n";
  Program named(flat);
  CHECK(named.log.text().empty());
  CHECK(named.manifest.size() < 20000);
}

TEST_CASE("a program without its interface is refused") {
  struct {
    const char *attributes, *text;
  } cases[] = {
      {"", "lacks the attribute 'roles' that the manifest repeats"},
      {"attributes {roles = [], results = []}", "lacks the attribute 'params' that the manifest repeats"},
      {"attributes {roles = [{name = \"q\"}], results = [], params = []}",
       "attribute 'roles' holds an item without name, axes, inner and dtype"},
      {"attributes {roles = [], results = [], params = [3 : i64]}",
       "attribute 'params' holds an item without name and type"},
      {"attributes {roles = [], results = [], params = [], requires = [{check = 1.0 : f32}]}",
       "attribute 'requires' holds an item that is no check with a message"},
      {"attributes {roles = [], results = [], params = [], sizes = [{name = \"s(n)\", value = 1.0 : f32}]}",
       "attribute 'sizes' holds an item that is no size with a name"},
  };
  for (const auto &[attributes, text] : cases) {
    Program program("", attributes);
    INFO(program.log.text());
    CHECK(program.manifest.empty());
    CHECK(holds(program.log.text(), text));
  }
}
