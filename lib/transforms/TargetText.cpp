// Reading and writing TargetInfo.
#include "lib/transforms/TargetText.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

namespace sattn {
namespace {
struct Field {
  StringRef name;
  int64_t TargetInfo::*integer = nullptr;
  double TargetInfo::*real = nullptr;
  PanelLayout TargetInfo::*layout = nullptr;
};

const Field kFields[] = {
    {"rowTile", &TargetInfo::rowTile},
    {"keyTile", &TargetInfo::keyTile},
    {"keyTileBytes", &TargetInfo::keyTileBytes},
    {"rangeRows", &TargetInfo::rangeRows},
    {"rangeKeys", &TargetInfo::rangeKeys},
    {"rangeFeatures", &TargetInfo::rangeFeatures},
    {"sumColumns", &TargetInfo::sumColumns},
    {"rowQuantum", &TargetInfo::rowQuantum},
    {"decodeRows", &TargetInfo::decodeRows},
    {"decodeShare", &TargetInfo::decodeShare},
    {"decodeTile", &TargetInfo::decodeTile},
    {"tokenRows", &TargetInfo::tokenRows},
    {"storedRows", &TargetInfo::storedRows},
    {"splitTasks", &TargetInfo::splitTasks},
    {"splitTiles", &TargetInfo::splitTiles},
    {"keyLayout", nullptr, nullptr, &TargetInfo::keyLayout},
    {"valueLayout", nullptr, nullptr, &TargetInfo::valueLayout},
    {"flopsPerCycle", nullptr, &TargetInfo::flopsPerCycle},
    {"exp2PerCycle", nullptr, &TargetInfo::exp2PerCycle},
    {"bytesPerCycle", nullptr, &TargetInfo::bytesPerCycle},
    {"largeBytesPerCycle", nullptr, &TargetInfo::largeBytesPerCycle},
    {"rowCycles", nullptr, &TargetInfo::rowCycles},
    {"packReuse", nullptr, &TargetInfo::packReuse},
    {"taskBytes", &TargetInfo::taskBytes},
    {"taskLists", &TargetInfo::taskLists},
    {"waveBytes", &TargetInfo::waveBytes},
};

bool parseLayout(StringRef text, PanelLayout &layout) {
  if (text == "none") {
    layout = PanelLayout();
    return true;
  }
  auto [axis, width] = text.split(':');
  layout.byRows = axis == "rows";
  return (axis == "rows" || axis == "cols") && !width.getAsInteger(10, layout.width) && layout.width > 0;
}

std::string layoutText(const PanelLayout &layout) {
  if (layout.width == 0)
    return "none";
  return (layout.byRows ? "rows:" : "cols:") + std::to_string(layout.width);
}

bool parseField(const Field &field, StringRef value, TargetInfo &info) {
  if (field.integer)
    return !value.getAsInteger(10, info.*field.integer) && info.*field.integer > 0;
  if (field.real)
    return !value.getAsDouble(info.*field.real) && info.*field.real > 0;
  return parseLayout(value, info.*field.layout);
}
} // namespace

LogicalResult parseTargetText(StringRef text, TargetInfo &info, std::string &error) {
  SmallVector<StringRef> entries;
  text.split(entries, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (StringRef entry : entries) {
    auto [name, value] = entry.split('=');
    name = name.trim();
    value = value.trim();
    if (name == "name") {
      info.name = value.str();
      continue;
    }
    if (name == "foldScale" || name == "callsFunctions") {
      (name == "foldScale" ? info.foldScale : info.callsFunctions) = value == "1";
      continue;
    }
    auto field = llvm::find_if(kFields, [&, name = name](const Field &f) { return f.name == name; });
    if (field == std::end(kFields)) {
      error = ("[SA0202] target has no field '" + name + "': remove it").str();
      return failure();
    }
    if (!parseField(*field, value, info)) {
      error = ("[SA0202] target field '" + name + "' cannot be '" + value + "': give " +
               (field->layout ? "none, rows:N or cols:N" : "a number above 0"))
                  .str();
      return failure();
    }
  }
  return success();
}

std::string targetText(const TargetInfo &info) {
  std::string text = "name=" + info.name + ",foldScale=" + (info.foldScale ? "1" : "0") +
                     (info.callsFunctions ? ",callsFunctions=1" : "");
  llvm::raw_string_ostream out(text);
  for (const Field &field : kFields) {
    if (field.integer && info.*field.integer == 0)
      continue; // as others
    out << "," << field.name << "=";
    if (field.integer)
      out << info.*field.integer;
    else if (field.real)
      out << llvm::format("%.17g", info.*field.real);
    else
      out << layoutText(info.*field.layout);
  }
  return text;
}

} // namespace sattn
