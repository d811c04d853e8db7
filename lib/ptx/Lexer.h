// PTX text to tokens. Words carry their dots ("ld.global.nc.b32", ".param", "%tid.x"); the parser splits them. Token
// text points into the module's copy of the source.
#pragma once

#include "lib/ptx/Ptx.h"

namespace sattn::ptx {

struct Token {
  enum Kind : uint8_t { Word, Integer, Float32, Float64, String, Punctuation, End };
  Kind kind = End;
  unsigned line = 0;
  std::string_view text = {};
  /// Integer: the value; Float32, Float64: the bits.
  uint64_t value = 0;
  bool is(char c) const { return kind == Punctuation && text[0] == c; }
  bool is(std::string_view word) const { return kind == Word && text == word; }
};

/// All tokens and one of kind End, or the first character that begins none.
Result<std::vector<Token>> tokenise(std::string_view source);

/// Line `line` (from 1) of the source without surrounding blanks; where lines are counted, here is the definition.
std::string lineText(std::string_view source, unsigned line);

} // namespace sattn::ptx
