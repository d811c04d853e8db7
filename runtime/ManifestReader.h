// The reader behind parseManifests(): one object for one manifest, in the order in which names come to be known.
// Manifest.cpp reads roles, params and derived values; ManifestPlan.cpp workspaces, kernels and steps.
#pragma once

#include "runtime/JsonReader.h"
#include "runtime/Manifest.h"

namespace sattn::rt {

class ManifestReader {
public:
  ManifestReader(const nlohmann::json &json, Manifest &out) : top(json, ""), out(out) {}

  Status read();

private:
  Status readHead();
  Status readOperands(const char *field, std::vector<Operand> &operands, bool areResults);
  Status readPage(JsonObject &object, Operand &operand);
  Status readOperand(const nlohmann::json &json, const std::string &where, bool isResult, Operand &operand);
  Status readAxis(const nlohmann::json &json, const std::string &where, bool isResult, Axis &axis);
  Status placeAxes(const std::string &where, Operand &operand);
  Status sizeFeatures(const std::string &where, Operand &operand);
  Status readParams();
  Status readDerived();
  Status readRequirements();
  // ManifestPlan.cpp
  Status readWorkspaces(size_t topSteps);
  Status readKernels();
  Status readTensorMaps(JsonObject &object, KernelInfo &kernel);
  Status readSteps(const nlohmann::json &json, const std::string &where, int depth, std::vector<Step> &steps);
  Status readStep(const nlohmann::json &json, const std::string &where, int depth, Step &step);
  Status readKernelStep(JsonObject &object, Step &step);
  Status readLoop(JsonObject &object, int depth, Step &step);
  Status readOrder(const JsonObject &object, const nlohmann::json &json, Step &step);
  Status readArg(const nlohmann::json &json, const std::string &where, KernelArg &arg);
  Status readWorkspaceArg(JsonObject &object, KernelArg &arg);
  Status readFloatArg(JsonObject &object, KernelArg &arg);
  Status readExprs(JsonObject &object, const char *field, std::array<Expr, 3> &exprs);

  int findOperand(const std::vector<Operand> &operands, const std::string &name) const;
  int findKernel(const std::string &name) const;

  JsonObject top;
  Manifest &out;
  std::vector<std::pair<std::string, std::string>> bindItems;
  int topStep = 0;      ///< index of the top-level step that is being read
  size_t stepCount = 0; ///< all steps, nested ones included

  static constexpr size_t maxOperands = 64, maxParams = 256, maxItems = 1024, maxSteps = 4096, maxDepth = 8;
  static constexpr int64_t maxScratch = int64_t(256) << 20, maxFeatures = 1 << 20;
};

} // namespace sattn::rt
