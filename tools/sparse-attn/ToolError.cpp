// The table of texts.
#include "tools/sparse-attn/ToolError.h"

const char *sattn::tool::errorText(Err error) {
  switch (error) {
#define TOOL_ERROR(number, name, text)                                                                                 \
  case Err::name:                                                                                                      \
    return text;
#include "tools/sparse-attn/Errors.def"
  }
  return "";
}
