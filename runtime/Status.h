// Status: the result of everything that can fail in the runtime. It is success, or one entry of Errors.def with its
// filled-in text. Success costs one null pointer. Relies on sattn.h for the status values only; the C ABI turns a
// Status into sattn_status + sattn_last_error(), the compiler library into its own diagnostics.
#pragma once

#include "include/sattn/sattn.h"

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace sattn::rt {

/// The errors of Errors.def; the value is the number in "[SAnnnn]".
enum class Err : uint16_t {
#define SATTN_ERROR(number, status, name, text) name = number,
#include "runtime/Errors.def"
};

namespace detail {
struct ErrorInfo {
  Err error;
  sattn_status status;
  const char *text;
};

inline constexpr ErrorInfo errorTable[] = {
#define SATTN_ERROR(number, status, name, text) {Err::name, status, text},
#include "runtime/Errors.def"
};

constexpr const ErrorInfo &infoOf(Err error) {
  const ErrorInfo *entry = errorTable;
  while (entry->error != error)
    ++entry;
  return *entry;
}

constexpr int placeholders(const char *text) {
  int count = 0;
  for (; *text; ++text)
    count += text[0] == '{' && text[1] == '}';
  return count;
}
} // namespace detail

/// One value for a placeholder: text, which is not copied, or a number.
struct Arg {
  enum Kind : uint8_t { Text, Signed, Unsigned } kind;
  std::string_view text;
  uint64_t number = 0;
  Arg(const char *value) : kind(Text), text(value) {}
  Arg(const std::string &value) : kind(Text), text(value) {}
  Arg(std::string_view value) : kind(Text), text(value) {}
  Arg(int value) : Arg(static_cast<int64_t>(value)) {}
  Arg(int64_t value) : kind(Signed), number(static_cast<uint64_t>(value)) {}
  Arg(uint64_t value) : kind(Unsigned), number(value) {}
};

class [[nodiscard]] Status {
public:
  Status() = default;
  /// Fills the placeholders of `error` in order; use fail<>(), which checks their number when it is compiled.
  static Status make(Err error, std::initializer_list<Arg> args);

  bool ok() const { return !detail; }
  bool failed() const { return detail != nullptr; }

  sattn_status code() const { return detail ? detail->code : SATTN_OK; }
  /// Which entry of Errors.def; only for a failed status.
  Err error() const { return detail->error; }
  /// The same, said of a part: "[SA0304] sequence 3: k has ...".
  Status within(const std::string &place) const;
  /// "[SA0304] k has D=32, but q has D=64"; "" for success.
  const std::string &text() const;

private:
  struct Detail {
    Err error;
    sattn_status code;
    std::string text;
  };
  std::shared_ptr<const Detail> detail;
};

inline Status success() { return {}; }

/// A failed status: `return fail<Err::MissingOperand>("k", "B, s, g, D");`
template <Err E, typename... Args> Status fail(const Args &...args) {
  static_assert(sizeof...(Args) == detail::placeholders(detail::infoOf(E).text),
                "the number of arguments is that of the placeholders in Errors.def");
  return Status::make(E, {Arg(args)...});
}

} // namespace sattn::rt

/// Returns from the calling function when `expression` is a failed Status.
#define SATTN_TRY(expression)                                                                                          \
  do {                                                                                                                 \
    if (::sattn::rt::Status sattnStatus = (expression); sattnStatus.failed())                                          \
      return sattnStatus;                                                                                              \
  } while (false)
