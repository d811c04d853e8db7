// Runs one pattern, or one tile program, in float64 on .npy files, for comparisons that are scripted outside:
//
//   oracle_run run PATTERN.mlir --arg NAME[:bf16]=F.npy ... [--param NAME=X ...] [--q-offset N|F.npy]
//              [--kv-offset N|F.npy] [--kv-len F.npy] [--rows I,J,...] --out NAME=F.npy ...
//
// Results are float64. With --lookup FOLDER as the first option, PATTERN may be the name of a file there.
#include "lib/reference/Interpreter.h"
#include "lib/reference/TileInterp.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FileSystem.h"
#include "Npy.h"
#include <cstdio>

using namespace sattn;

static int fail(const std::string &text) {
  std::fprintf(stderr, "oracle_run: %s\n", text.c_str());
  return 1;
}

/// A number for each batch entry: a file, or one number for all of them.
static bool perBatch(StringRef text, int64_t batch, std::vector<int64_t> &into, std::string &error) {
  int64_t number;
  if (!text.getAsInteger(10, number)) {
    into.assign(batch, number);
    return true;
  }
  FailureOr<ref::Array> array = ref::readNpy(text.str(), false, error);
  if (failed(array))
    return false;
  into.assign(array->data.begin(), array->data.end());
  return true;
}

int main(int argc, char **argv) {
  SmallVector<StringRef> words(argv + 1, argv + argc);
  std::string folder, path, error;
  ref::Call call;
  std::vector<std::pair<std::string, std::string>> outs, offsets;
  for (size_t i = 0; i < words.size(); ++i) {
    StringRef word = words[i];
    if (word == "run")
      continue;
    if (!word.starts_with("--")) {
      path = word.str();
      continue;
    }
    if (++i == words.size())
      return fail(word.str() + " needs a value");
    auto [name, value] = words[i].split('=');
    if (word == "--lookup")
      folder = words[i].str();
    else if (word == "--arg") {
      auto [role, type] = name.split(':');
      FailureOr<ref::Array> array = ref::readNpy(value.str(), type == "bf16", error);
      if (failed(array))
        return fail(error);
      call.roles[role] = std::move(*array);
    } else if (word == "--param") {
      double number;
      if (value.getAsDouble(number))
        return fail("param " + words[i].str() + " is not a number");
      call.params[name] = number;
    } else if (word == "--out")
      outs.push_back({name.str(), value.str()});
    else if (word == "--rows") {
      call.rows.emplace();
      SmallVector<StringRef> parts;
      words[i].split(parts, ',');
      for (StringRef part : parts)
        if (int64_t row; !part.getAsInteger(10, row))
          call.rows->push_back(row);
    } else
      offsets.push_back({word.str(), words[i].str()});
  }

  if (!folder.empty() && !llvm::sys::fs::exists(path))
    path = folder + "/" + path + ".mlir";
  mlir::DialectRegistry registry;
  registerPatternDialect(registry);
  registerTileDialect(registry);
  registry
      .insert<mlir::affine::AffineDialect, mlir::arith::ArithDialect, mlir::math::MathDialect, mlir::scf::SCFDialect>();
  MLIRContext context(registry);
  OwningOpRef<mlir::ModuleOp> module = mlir::parseSourceFile<mlir::ModuleOp>(path, &context);
  if (!module)
    return 1;
  auto patterns = module->getOps<PatternOp>();
  auto programs = module->getOps<tile::ProgramOp>();
  if (patterns.empty() && programs.empty())
    return fail(path + " holds no pattern and no tile program");

  int64_t batch = 1;
  for (const auto &role : call.roles) // all but tables of heads have the batch first
    if (role.second.shape.size() > 2)
      batch = role.second.shape[0];
  for (auto &[word, value] : offsets) {
    std::vector<int64_t> *into = word == "--q-offset"    ? &call.qOffset
                                 : word == "--kv-offset" ? &call.kvOffset
                                 : word == "--kv-len"    ? &call.kvLen
                                                         : nullptr;
    if (!into)
      return fail("unknown option " + word);
    if (!perBatch(value, batch, *into, error))
      return fail(error);
  }

  auto emitError = [&] { return mlir::emitError(module->getLoc()); };
  FailureOr<std::vector<ref::Output>> outputs = patterns.empty()
                                                    ? ref::interpretProgram(*programs.begin(), call, emitError)
                                                    : ref::interpret(*patterns.begin(), call, emitError);
  if (failed(outputs))
    return 1;
  for (auto &[name, file] : outs) {
    auto found = llvm::find_if(*outputs, [&](const ref::Output &output) { return output.name == name; });
    if (found == outputs->end())
      return fail("there is no result " + name);
    if (failed(ref::writeNpy(file, found->value, error)))
      return fail(error);
  }
  return 0;
}
