// What only the values of a call can make wrong: one case for each message.
#include <doctest/doctest.h>
#include "OracleTest.h"

using namespace sattn;
using namespace sattn::ref;

TEST_CASE("heads that do not serve") {
  Call call = showKeys(1, 2);
  call.roles["q"] = Array::zeros({1, 1, 4, 1});
  call.roles["bias"] = Array::zeros({3});
  std::string text = "sattn.pattern @p(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %bias: [h2]) -> (o) {\n"
                     "  %keys = sattn.set (t, s) : all\n"
                     "  %a = sattn.score dot %q, %k\n"
                     "  %z = sattn.map %a : z + %bias[h]\n"
                     "  %o = sattn.attend %z over %keys, %v\n"
                     "  sattn.yield %o\n}";
  CHECK(run(text, call).error == "a value with 3 heads cannot serve 4 heads: the number of heads must divide");
}

TEST_CASE("a gate that is used whole") {
  Call call;
  call.roles["a"] = Array::zeros({1, 1, 1, 4});
  call.roles["w"] = Array::zeros({1, 1, 1, 3});
  Result r = run("sattn.pattern @p(%a: [t, h, D], %w: [t, h, 3]) -> (o) {\n"
                 "  %o = sattn.mix %w * %a\n  sattn.yield %o\n}",
                 call);
  CHECK(r.error == "outputs of 3 features and more cannot be mixed");
}

TEST_CASE("weights as a result") {
  Call call = showKeys(1, 4);
  call.roles.erase("v");
  Result r = run("sattn.pattern @p(%q: [t, h, D], %k: [s, g, D]) -> (w) {\n"
                 "  %m = sattn.summarize mean %k blocks(2)\n"
                 "  %a = sattn.score dot %q, %m\n"
                 "  %all = sattn.set (t, c(2)) : all\n"
                 "  %sel = sattn.select top(1) %a where %all\n"
                 "  %w = sattn.weigh softmax %a over %sel\n"
                 "  sattn.yield %w\n}",
                 call);
  CHECK(r.error == "weights of slots have no reference as a whole: use them in sattn.blend");
}

TEST_CASE("keys with a further feature axis") {
  Call call = showKeys(1, 2);
  call.roles["k"] = Array::zeros({1, 2, 1, 1, 3});
  std::string text = "sattn.pattern @p(%q: [t, h, D], %k: [s, g, D, D2], %v: [s, g, Dv]) -> (o) {\n"
                     "  %keys = sattn.set (t, s) : all\n"
                     "  %z = sattn.score dot %q, %k\n"
                     "  %o = sattn.attend %z over %keys, %v\n"
                     "  sattn.yield %o\n}";
  CHECK(run(text, call).error == "queries have 1 features but keys have 3");
}

TEST_CASE("lists of blocks by row") {
  Call call = showKeys(4, 6);
  call.roles["ptr"] = array({1, 1, 2}, {0, 2}); // row blocks of 2
  call.roles["idx"] = array({1, 3}, {2, 0, 1});
  std::string text =
      attendOver("", "  %keys = sattn.listed %idx rows(%ptr) blocks(2)\n", ", %ptr: int[h, u(2)], %idx: int[h, 3]");
  Result r = run(text, call);
  REQUIRE(r.error == "");
  CHECK(seen(r["o"], 1) == std::vector<int64_t>{0, 1, 4, 5});
  CHECK(seen(r["o"], 2) == std::vector<int64_t>{2, 3});
  // Bounds outside the entries are cut; a list that ends before it begins is empty.
  call.roles["ptr"].data = {2, 1};
  r = run(text, call);
  REQUIRE(r.error == "");
  CHECK(seen(r["o"], 1).empty());
  CHECK(seen(r["o"], 2) == std::vector<int64_t>{0, 1, 2, 3});
  call.roles["ptr"].data = {-5, 7};
  r = run(text, call);
  REQUIRE(r.error == "");
  CHECK(seen(r["o"], 0) == std::vector<int64_t>{0, 1, 2, 3, 4, 5});
  CHECK(seen(r["o"], 3).empty());
}

TEST_CASE("blocks by flags") {
  Call call = showKeys(4, 6);
  call.roles["mask"] = array({1, 2, 1, 4}, {0, 3, -1, 1, 1, 0, 0, 0}); // row blocks of 2; there is no block 3
  Result r = run(attendOver("", "  %keys = sattn.listed %mask flags blocks(2)\n", ", %mask: int[u(2), h, D2]"), call);
  REQUIRE(r.error == "");
  CHECK(seen(r["o"], 1) == std::vector<int64_t>{2, 3, 4, 5});
  CHECK(seen(r["o"], 2) == std::vector<int64_t>{0, 1});
}

TEST_CASE("features that do not come last") {
  Call call = showKeys(1, 2);
  call.roles["q"] = Array::zeros({1, 1, 1, 1});
  std::string text = "sattn.pattern @p(%q: [t, D, h], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {\n"
                     "  %keys = sattn.set (t, s) : all\n"
                     "  %z = sattn.score dot %q, %k\n"
                     "  %o = sattn.attend %z over %keys, %v\n"
                     "  sattn.yield %o\n}";
  CHECK(run(text, call).error == "role 'q' has axis 'D' before a position or head: features come last");
}

TEST_CASE("chosen positions beyond the operand, blocks without values, numbers that are no integers") {
  Call call;
  call.roles["x"] = Array::zeros({1, 2, 1, 1});
  call.roles["r"] = array({1, 3, 1}, {0, 0, 1});
  call.kvLen = {3};
  Result r = run("sattn.pattern @p(%x: [t, h, D], %r: [s, h]) -> (y) {\n"
                 "  %rows = sattn.route top(1) %r\n  %y = sattn.gather %x at %rows\n  sattn.yield %y\n}",
                 call);
  CHECK(r.error == "position 2 was chosen but the gathered operand holds 0 to 1");

  call = Call();
  call.roles["q"] = Array::zeros({1, 1, 1, 1});
  call.roles["k"] = Array::zeros({1, 5, 1, 1});
  r = run("sattn.pattern @p(%q: [t, h, D], %k: [s, g, D]) -> (o) {\n"
          "  %kc = sattn.summarize mean %k blocks(2) ragged\n"
          "  %vc = sattn.summarize mean %k blocks(2)\n"
          "  %all = sattn.set (t, c(2)) : all\n"
          "  %z = sattn.score dot %q, %kc\n"
          "  %o = sattn.attend %z over %all, %vc\n"
          "  sattn.yield %o\n}",
          call);
  CHECK(r.error == "column 2 of a score has no values: they have 2 positions");
}
