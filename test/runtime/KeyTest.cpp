// Keys: every field counts, binds are sorted, messages.
#include "test/runtime/Support.h"

#include "runtime/Digest.h"

#include <set>

using namespace sattn::rt;

TEST_CASE("BLAKE2b-256 of known texts") {
  // Values of the reference implementation (b2sum -l 256).
  CHECK(toHex(digestOf("")) == "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
  CHECK(toHex(digestOf("abc")) == "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
  CHECK(toHex(digestOf("abc"), 2) == "bddd");
}

TEST_CASE("fields are kept apart") {
  auto hash = [](std::string_view a, std::string_view b) { return toHex(DigestBuilder().field(a).field(b).finish()); };
  CHECK(hash("ab", "c") != hash("a", "bc"));
  CHECK(hash("", "abc") != hash("abc", ""));
  DigestBuilder builder;
  builder.field("a");
  std::string first = toHex(builder.finish());
  CHECK(toHex(builder.finish()) == first);
  CHECK(toHex(builder.field("b").finish()) == hash("a", "b"));
}

TEST_CASE("each field changes the key") {
  Request request{"sattn.pattern @a", "D=64", "cpu-avx2"};
  std::set<std::string> keys, requests;
  auto add = [&](const Request &r, std::string_view build, uint32_t format) {
    keys.insert(makeKey(r, build, format).text());
    requests.insert(toHex(makeKey(r, build, format).request));
  };
  add(request, "b1", 1);
  add({"sattn.pattern @b", "D=64", "cpu-avx2"}, "b1", 1);
  add({"sattn.pattern @a", "D=128", "cpu-avx2"}, "b1", 1);
  add({"sattn.pattern @a", "D=64", "cpu-avx512"}, "b1", 1);
  add(request, "b1", 2);
  CHECK(keys.size() == 5);
  CHECK(requests.size() == 5);
  add(request, "b2", 1);
  CHECK(keys.size() == 6);
  CHECK(requests.size() == 5); // the build is not part of what was asked for
  CHECK(makeKey(request, "b1").text() == makeKey(request, "b1", artefactFormat).text());
  CHECK(makeKey(request, "b1").text().size() == 64);
}

TEST_CASE("a bind is sorted and trimmed") {
  std::string out;
  CHECK_OK(canonicalBind(" dtype=bf16 ,Dv=64,  D = 64", out));
  CHECK(out == "D=64,Dv=64,dtype=bf16");
  CHECK_OK(canonicalBind("  ", out));
  CHECK(out.empty());
  CHECK_OK(canonicalBind("D=1", out));
  CHECK(out == "D=1");
}

TEST_CASE("malformed binds") {
  std::string out;
  for (const char *bind : {"D", "D=", "=64", "D=64,", ",D=64", "D=6=4", "D=64,,Dv=64"})
    CHECK_STATUS(canonicalBind(bind, out), Err::BindSyntax, "is not of the form name=value");
  CHECK_STATUS(canonicalBind("D=64,D=64", out), Err::BindDuplicate, "[SA0401] bind gives 'D' twice");
}

TEST_CASE("the name of a pattern") {
  CHECK(patternName("// text\nsattn.pattern @nsa_ext<static l: int>(...)") == "nsa_ext");
  CHECK(patternName("sattn.pattern @") == "?");
  CHECK(patternName("@x") == "?");
  CHECK(patternName("") == "?");
}

TEST_CASE("texts of statuses") {
  Status status = fail<Err::AxisMismatch>("k", "D", 32, "q", "D", int64_t(64));
  CHECK(status.text() == "[SA0304] k has D=32, but q has D=64; one axis has one size");
  CHECK(status.code() == SATTN_BAD_CALL);
  CHECK(success().text().empty());
  CHECK(success().code() == SATTN_OK);
  // Names that come from a user cannot break the log's lines.
  CHECK(fail<Err::NullArgument>("a\rb\x1b").text() == "[SA0300] argument 'a?b?' is null; it is needed");
}
