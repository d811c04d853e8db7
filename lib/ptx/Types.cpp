// Names and sizes of scalar types and state spaces.
#include "lib/ptx/Types.h"

#include <iterator>

namespace sattn::ptx {
namespace {
struct Row {
  Scalar type;
  std::string_view name;
  uint8_t bytes;
};
constexpr Row rows[] = {{Scalar::Pred, "pred", 0},    {Scalar::B8, "b8", 1},         {Scalar::B16, "b16", 2},
                        {Scalar::B32, "b32", 4},      {Scalar::B64, "b64", 8},       {Scalar::B128, "b128", 16},
                        {Scalar::U8, "u8", 1},        {Scalar::U16, "u16", 2},       {Scalar::U32, "u32", 4},
                        {Scalar::U64, "u64", 8},      {Scalar::S8, "s8", 1},         {Scalar::S16, "s16", 2},
                        {Scalar::S32, "s32", 4},      {Scalar::S64, "s64", 8},       {Scalar::U16x2, "u16x2", 4},
                        {Scalar::S16x2, "s16x2", 4},  {Scalar::F16, "f16", 2},       {Scalar::F16x2, "f16x2", 4},
                        {Scalar::BF16, "bf16", 2},    {Scalar::BF16x2, "bf16x2", 4}, {Scalar::TF32, "tf32", 4},
                        {Scalar::F32, "f32", 4},      {Scalar::F32x2, "f32x2", 8},   {Scalar::F64, "f64", 8},
                        {Scalar::E4M3, "e4m3", 1},    {Scalar::E5M2, "e5m2", 1},     {Scalar::E4M3x2, "e4m3x2", 2},
                        {Scalar::E5M2x2, "e5m2x2", 2}};

constexpr const Row &rowOf(Scalar type) { return rows[unsigned(type)]; }
constexpr bool inOrder() {
  for (unsigned i = 0; i < std::size(rows); ++i)
    if (unsigned(rows[i].type) != i)
      return false;
  return true;
}
static_assert(inOrder());
} // namespace

std::optional<Scalar> scalarNamed(std::string_view name) {
  for (const Row &row : rows)
    if (row.name == name)
      return row.type;
  return std::nullopt;
}

std::string_view nameOf(Scalar type) { return rowOf(type).name; }
unsigned bytesOf(Scalar type) { return rowOf(type).bytes; }
bool isSigned(Scalar type) { return rowOf(type).name[0] == 's'; }
bool isFloat(Scalar type) { return type >= Scalar::F16; }

std::string_view nameOf(Space space) {
  constexpr std::string_view names[] = {"generic", "global", "shared", "local", "param"};
  return names[unsigned(space)];
}
} // namespace sattn::ptx
