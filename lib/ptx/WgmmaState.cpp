// Account of products under way; see Wgmma.h.
#include "lib/ptx/Cta.h"

#include <fmt/format.h>

#include <bit>

namespace sattn::ptx {

void WgmmaState::start(Warp &warp, Product product) {
  uint64_t &history = executed[product.line];
  history = history * 0x9e3779b97f4a7c15 + product.descriptors + 1;
  for (Row row : warp.program.list(product.accumulators)) {
    ++accumulating[row];
    warp.defined(row) = 0;
  }
  for (Row row : warp.program.list(product.sources))
    ++reading[row];
  open.push_back(std::move(product));
}

void WgmmaState::commit() { groups.push_back(std::exchange(open, {})); }

void WgmmaState::wait(Warp &warp, uint32_t pending) {
  while (groups.size() > pending) {
    for (const Product &product : groups.front()) {
      for (Row row : warp.program.list(product.accumulators))
        if (--accumulating[row] == 0)
          warp.defined(row) = ~uint32_t(0);
      for (Row row : warp.program.list(product.sources))
        --reading[row];
      for (uint32_t unit : product.units)
        warp.cta.shared().endRead(unit, 16);
    }
    groups.erase(groups.begin());
  }
}

void WgmmaState::noteWrite(Warp &warp, Row row, uint32_t lanes) {
  writtenAt[row] = ++time;
  if (accumulating[row] || reading[row])
    warp.fault(FaultKind::MissingWait, unsigned(std::countr_zero(lanes)), [&] {
      auto name = warp.program.registerNames.find(row);
      return fmt::format(
          "register '{}' is written while 'wgmma.mma_async' uses it: 'wgmma.wait_group' has to come first",
          name == warp.program.registerNames.end() ? "?" : name->second);
    });
}

uint32_t WgmmaState::lineOf(const Program &program, Row row) const {
  auto search = [&](const std::vector<Product> &products) -> uint32_t {
    for (const Product &product : products)
      for (Row accumulator : program.list(product.accumulators))
        if (accumulator == row)
          return product.line;
    return 0;
  };
  uint32_t line = search(open);
  for (const std::vector<Product> &group : groups)
    line = line ? line : search(group);
  return line;
}

} // namespace sattn::ptx
