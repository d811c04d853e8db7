// sparse-attn explain: the key of a kernel, where it comes from, its plan and the compiler's reasons, for one size.
#include "tools/sparse-attn/Engine.h"
#include "tools/sparse-attn/ToolError.h"
#include "tools/sparse-attn/Verbs.h"

#include <nlohmann/json.hpp>

namespace sattn::tool {

static std::string taken(char *text) {
  std::string copy = text ? text : "";
  sattn_free(text);
  return copy;
}

int explain(const CompareOptions &options) {
  Invocation call = openPattern(options);
  if (options.args.empty())
    generateOperands(call, {options.shape, parseOperandDtype(options.dtype), options.seed, false, /*fill=*/false}, options);
  else
    readOperands(call, options);
  Engine engine({options.threads, false}, call.file.path);
  std::string bind = call.bind(), target = checkTarget(options.target);

  sattn_spec spec{};
  spec.struct_size = sizeof spec;
  spec.pattern = call.file.text.c_str();
  spec.pattern_size = call.file.text.size();
  spec.bind = bind.c_str();
  spec.target = target.c_str();
  char *text = nullptr;
  check(sattn_explain_spec(engine.context(), &spec, &text)); // before the kernel is there
  std::string key = taken(text);
  sattn_kernel *kernel = engine.get(call.file.text, bind, target);
  BoundCall bound(call, {}, options.threads);
  check(sattn_explain(kernel, bound.get(), &text));
  std::string plan = taken(text);
  if (options.json) {
    nlohmann::ordered_json report = {{"pattern", call.info.name},
                                     {"lines", call.info.lines},
                                     {"causal", call.info.causal},
                                     {"key", key},
                                     {"plan", plan},
                                     {"manifest", nlohmann::ordered_json::parse(sattn_kernel_manifest(kernel))}};
    fmt::print("{}\n", report.dump());
    return 0;
  }
  fmt::print("{} ({} lines), causal: {}\n\n{}\n{}", call.info.name, call.info.lines, call.info.causal, key, plan);
  return 0;
}

} // namespace sattn::tool
