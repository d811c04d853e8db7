// The algebra of partial results, and the ops that are made of it.
#include "lib/reference/Partials.h"
#include <doctest/doctest.h>
#include "OracleTest.h"
#include <cmath>

using namespace sattn;
using namespace sattn::ref;
using doctest::Approx;

static Partial one(double z, std::vector<double> v) { return softmaxPartial({z}, {ArrayRef<double>(v)}); }

TEST_CASE("softmax partial: numerator, denominator and lse") {
  std::vector<double> a{1, 0}, b{0, 1};
  Partial p = softmaxPartial({0.0, std::log(3.0)}, {ArrayRef<double>(a), ArrayRef<double>(b)});
  CHECK(finalize(p, 2)[0] == Approx(0.25));
  CHECK(finalize(p, 2)[1] == Approx(0.75));
  CHECK(lseOf(p) == Approx(std::log(4.0)));
}

TEST_CASE("a score of -inf takes its key out, value unread") {
  std::vector<double> a{2}, b{notANumber};
  Partial p = softmaxPartial({0.0, -infinite}, {ArrayRef<double>(a), ArrayRef<double>(b)});
  CHECK(finalize(p, 1)[0] == 2.0);
  Partial none = softmaxPartial({-infinite}, {ArrayRef<double>(b)});
  CHECK(finalize(none, 1)[0] == 0.0);
  CHECK(lseOf(none) == -infinite);
}

TEST_CASE("merging does not depend on grouping, the empty partial is the identity") {
  Partial a = one(1.0, {1}), b = one(200.0, {2}), c = one(-300.0, {3}), none;
  Partial left = merge(merge(a, b), c), right = merge(a, merge(b, c));
  CHECK(finalize(left, 1)[0] == Approx(finalize(right, 1)[0]));
  CHECK(lseOf(left) == Approx(lseOf(right)));
  CHECK(finalize(merge(none, a), 1)[0] == 1.0);
  CHECK(lseOf(merge(a, none)) == 1.0);
  CHECK(merge(none, none).empty());
  CHECK(finalize(merge(none, none), 3) == std::vector<double>{0, 0, 0});
}

TEST_CASE("a sink joins the denominator of the output only") {
  Partial p = one(0.0, {8});
  CHECK(finalize(p, 1, std::log(3.0))[0] == Approx(2.0));
  CHECK(finalize(p, 1, 1000.0)[0] == Approx(0.0));
  CHECK(finalize(p, 1, -infinite)[0] == 8.0);
  CHECK(finalize(Partial(), 1, 5.0)[0] == 0.0);
  CHECK(lseOf(p) == 0.0);
}

TEST_CASE("reopening a finished result, also an empty one whose output is anything") {
  std::vector<double> o{4}, nothing{notANumber};
  Partial p = merge(reopen(o, std::log(3.0)), one(0.0, {0}));
  CHECK(finalize(p, 1)[0] == Approx(3.0));
  CHECK(lseOf(p) == Approx(std::log(4.0)));
  CHECK(finalize(merge(reopen(nothing, -infinite), one(0.0, {7})), 1)[0] == 7.0);
}

TEST_CASE("linear partials weigh by the score itself") {
  std::vector<double> a{1}, b{5};
  CHECK(finalize(linearPartial({3.0, 1.0}, {ArrayRef<double>(a), ArrayRef<double>(b)}), 1)[0] == Approx(2.0));
  CHECK(linearPartial({}, {}).empty());
}

TEST_CASE("numbers that are not finite") {
  CHECK(std::isnan(maxWithNan(notANumber, 1.0)));
  CHECK(std::isnan(maxWithNan(1.0, notANumber)));
  CHECK(expRelative(-infinite, -infinite) == 0.0);
  CHECK(logAddExp(-infinite, 2.0) == 2.0);
  CHECK(logAddExp(0.0, std::log(3.0)) == Approx(std::log(4.0)));
  std::vector<double> v{1};
  CHECK(std::isnan(finalize(softmaxPartial({notANumber}, {ArrayRef<double>(v)}), 1)[0]));
}

static const std::string merged =
    R"(sattn.pattern @p(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %o0: [t, h, Dv], %l0: [t, h]) -> (o, lse) {
  %low = sattn.set (t, s) : s < 2
  %high = sattn.set (t, s) : 2 <= s
  %z = sattn.score dot %q, %k
  %a = sattn.accumulate softmax %z over %low, %v
  %b = sattn.accumulate softmax %z over %high, %v
  %c = sattn.reopen %o0, %l0
  %p = sattn.merge %a, %b, %c
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
})";

TEST_CASE("parts of a row merged with the result of another call") {
  Call call = showKeys(1, 4);
  call.roles["o0"] = array({1, 1, 1, 4}, {8, 0, 0, 0});
  call.roles["l0"] = array({1, 1, 1}, {std::log(4.0)});
  Result r = run(merged, call);
  REQUIRE(r.error == "");
  CHECK(r["o"].data[0] == Approx(33.0 / 8.0)); // 4 keys of weight 1, and weight 4 on 8
  CHECK(r["o"].data[3] == Approx(1.0 / 8.0));
  CHECK(r["lse"].data[0] == Approx(std::log(8.0)));
}

TEST_CASE("a sink logit for each head") {
  Call call;
  call.roles["q"] = Array::zeros({1, 1, 2, 1});
  call.roles["k"] = Array::zeros({1, 3, 1, 1});
  call.roles["v"] = Array::filled({1, 3, 1, 1}, 6.0);
  call.roles["sink"] = array({2}, {-infinite, std::log(6.0)});
  Result r = run("sattn.pattern @p(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %sink: [h]) -> (o) {\n"
                 "  %keys = sattn.set (t, s) : all\n"
                 "  %z = sattn.score dot %q, %k\n"
                 "  %o = sattn.attend %z over %keys, %v sink(%sink)\n"
                 "  sattn.yield %o\n}",
                 call);
  REQUIRE(r.error == "");
  CHECK(r["o"].data[0] == Approx(6.0));
  CHECK(r["o"].data[1] == Approx(2.0));
}

TEST_CASE("softmax and linear partials do not merge") {
  Call call = showKeys(1, 2);
  std::string text = R"(sattn.pattern @p(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : all
  %z = sattn.score dot %q, %k
  %a = sattn.accumulate softmax %z over %keys, %v
  %b = sattn.accumulate linear %z over %keys, %v
  %p = sattn.merge %a, %b
  %o = sattn.finalize %p
  sattn.yield %o
})";
  CHECK(run(text, call).error == "merging softmax and linear partial results has no reference");
}
