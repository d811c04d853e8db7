// The scratch allocator of Residency.h.
#include "codegen/cpu/Residency.h"

using namespace sattn;
using namespace sattn::cpu;

Owner Scratch::take(int64_t bytes) {
  bytes = llvm::alignTo(std::max<int64_t>(bytes, 1), 64);
  for (auto [offset, size] : holes) {
    if (size < bytes)
      continue;
    int64_t start = offset, rest = size - bytes;
    holes.erase(start);
    if (rest != 0)
      holes[start + bytes] = rest;
    return std::make_shared<Range>(*this, start, bytes);
  }
  int64_t start = end;
  end += bytes;
  top = std::max(top, end);
  return std::make_shared<Range>(*this, start, bytes);
}

void Scratch::release(int64_t offset, int64_t bytes) {
  auto next = holes.lower_bound(offset);
  if (next != holes.end() && offset + bytes == next->first) {
    bytes += next->second;
    next = holes.erase(next);
  }
  if (next != holes.begin()) {
    auto before = std::prev(next);
    if (before->first + before->second == offset) {
      offset = before->first;
      bytes += before->second;
      holes.erase(before);
    }
  }
  if (offset + bytes == end)
    end = offset;
  else
    holes[offset] = bytes;
}
