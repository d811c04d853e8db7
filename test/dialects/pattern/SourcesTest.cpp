// Files of functions in the text of a pattern.
#include "dialects/pattern/Sources.h"

#include <doctest/doctest.h>

using sattn::embedSources;

static std::string embed(std::string_view text) {
  return embedSources(text, [](const std::string &name) { return "<" + name + ">\n\t\"q\\"; });
}

TEST_CASE("the text of a file stands behind its name") {
  CHECK(embed("sattn.function @f(x: float) cuda file \"f.cu\" as x\n") ==
        "sattn.function @f(x: float) cuda file \"f.cu\" text \"<f.cu>\\0A\\09\\22q\\5C\" as x\n");
  CHECK(embed("cuda // a comment\n  file\n\"f.cu\"") ==
        "cuda // a comment\n  file\n\"f.cu\" text \"<f.cu>\\0A\\09\\22q\\5C\"");
  CHECK(embed("cuda file \"a\" cuda file \"b\" text \"c\" cuda file \"d\";").find("\"a\" text \"<a>") == 10);
}

TEST_CASE("all other text is kept") {
  for (const char *text :
       {"", "cuda", "cuda file", "cuda file \"", "cuda file \"f.cu", "file \"f.cu\"",
        "cuda file \"f.cu\" text \"float f();\"", "cuda file \"f.cu\" // why\n text \"x\"", "// cuda file \"f.cu\"\n",
        "\"cuda file \\\"f.cu\\\"\"", "cuda text \"x\"", "cuda_file \"x\"", "\"a\\", "cuda file \"f.cu\n\""})
    CHECK(embed(text) == text);
}
