// Fills the texts of Errors.def.
#include "runtime/Status.h"

#include <cstdio>

namespace sattn::rt {

/// Control characters would let a file name or an operand name break the log's one line per message.
static void appendPrintable(std::string &out, std::string_view text) {
  for (char c : text)
    out += static_cast<unsigned char>(c) < 0x20 && c != '\n' ? '?' : c;
}

static void append(std::string &out, const Arg &arg) {
  if (arg.kind == Arg::Text)
    appendPrintable(out, arg.text);
  else
    out += arg.kind == Arg::Signed ? std::to_string(static_cast<int64_t>(arg.number)) : std::to_string(arg.number);
}

Status Status::make(Err error, std::initializer_list<Arg> args) {
  const detail::ErrorInfo &info = detail::infoOf(error);
  char code[16];
  std::snprintf(code, sizeof(code), "[SA%04u] ", static_cast<unsigned>(error));
  std::string text = code;
  const Arg *next = args.begin();
  for (const char *c = info.text; *c; ++c) {
    if (c[0] != '{' || c[1] != '}') {
      text += *c;
      continue;
    }
    append(text, *next);
    ++next;
    ++c;
  }
  Status status;
  status.detail = std::make_shared<const Detail>(Detail{error, info.status, std::move(text)});
  return status;
}

Status Status::within(const std::string &place) const {
  if (ok())
    return *this;
  size_t code = detail->text.find(' ') + 1;
  Status status;
  status.detail = std::make_shared<const Detail>(
      Detail{detail->error, detail->code, detail->text.substr(0, code) + place + ": " + detail->text.substr(code)});
  return status;
}

const std::string &Status::text() const {
  static const std::string none;
  return detail ? detail->text : none;
}

} // namespace sattn::rt
