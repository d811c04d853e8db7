// Writes the manifest in the order of docs/artefact.md. Expressions come from PlanExpressions.
#include "lib/pipeline/PlanToManifest.h"
#include "lib/pipeline/KernelStreams.h"
#include "lib/pipeline/PlanExpressions.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/raw_ostream.h"

using namespace sattn;
using namespace sattn::tile;
using mlir::ArrayAttr;
using mlir::DictionaryAttr;
using mlir::StringAttr;

namespace {

struct ArgShape {
  int64_t inner, bytes, block; ///< elements of a row, bytes of an element, rows of a layout block or 1
};

ArgShape shapeOf(WorkspaceOp workspace) {
  ArgType type = workspace.getValue().getType();
  int64_t bits = type.getElementType().getIntOrFloatBitWidth();
  return {type.getInner(), std::max<int64_t>(1, bits / 8), type.getLayout() ? type.getLayout().getBlock() : 1};
}

class ManifestWriter {
public:
  ManifestWriter(ProgramOp program, const ManifestFacts &facts)
      : program(program), plan(program.getPlan()), facts(facts), stream(text), json(stream) {}

  FailureOr<std::string> write();

private:
  void writeOperands(StringRef field);
  LogicalResult writeParams();
  void writeDerived();
  void writeRequirements();
  void writeWorkspaces();
  void writeSteps(Region &region);
  void writeLaunch(LaunchOp launch);
  void writeArg(Value value);
  void writeWorkspaceArg(WorkspaceOp workspace);
  void writeKernels();
  void writeExplain();

  LogicalResult readInterface();
  Json positionsOf(WorkspaceOp workspace);
  void require(Json check, const Twine &message) { requirements.push_back({std::move(check), message.str()}); }
  LogicalResult readRequirements();
  LogicalResult readSizes();
  void requireBlockCounts();

  struct Operand {
    std::string name, dtype;
    SmallVector<std::string> axes;
    int64_t inner;
    bool ragged; ///< a block axis counts the last, partial block too
    std::optional<int64_t> page;
    bool kept; ///< a role that calls extend
  };
  struct Requirement {
    Json check;
    std::string message;
  };
  struct Item {
    std::string name;
    Json value;
  };
  LogicalResult readOperands(StringRef field, std::vector<Operand> &operands);
  bool isRoleAxis(StringRef axis) const;

  ProgramOp program;
  PlanOp plan;
  const ManifestFacts &facts;
  PlanExpressions expressions;
  std::vector<Operand> roles, results;
  std::vector<Item> axisSizes; ///< sizes of result axes that no role has
  std::vector<Requirement> requirements;
  std::string text;
  llvm::raw_string_ostream stream;
  llvm::json::OStream json;
};

//===-- The interface of the pattern ---------------------------------------------------------------------===//

LogicalResult ManifestWriter::readOperands(StringRef field, std::vector<Operand> &operands) {
  auto list = program->getAttrOfType<ArrayAttr>(field);
  if (!list)
    return program.emitOpError("lacks the attribute '") << field << "' that the manifest repeats";
  for (Attribute item : list) {
    auto fields = dyn_cast<DictionaryAttr>(item);
    auto name = fields ? fields.getAs<StringAttr>("name") : StringAttr();
    auto dtype = fields ? fields.getAs<StringAttr>("dtype") : StringAttr();
    auto axes = fields ? fields.getAs<ArrayAttr>("axes") : ArrayAttr();
    auto inner = fields ? fields.getAs<mlir::IntegerAttr>("inner") : mlir::IntegerAttr();
    if (!name || !dtype || !axes || !inner || !llvm::all_of(axes, llvm::IsaPred<StringAttr>))
      return program.emitOpError("attribute '") << field << "' holds an item without name, axes, inner and dtype";
    Operand &operand = operands.emplace_back();
    operand.name = name.str();
    operand.dtype = dtype.str();
    operand.inner = inner.getInt();
    operand.ragged = fields.contains("ragged");
    if (auto page = fields.getAs<mlir::IntegerAttr>("page"))
      operand.page = page.getInt();
    operand.kept = fields.contains("kept");
    for (StringAttr axis : axes.getAsRange<StringAttr>())
      operand.axes.push_back(axis.str());
  }
  return success();
}

bool ManifestWriter::isRoleAxis(StringRef axis) const {
  return llvm::any_of(roles, [&](const Operand &role) { return llvm::is_contained(role.axes, axis); });
}

// The blocks of `c(32, 16)` or `u(128)`.
struct Blocks {
  StringRef positions; ///< the axis that is cut: "s" or "t"
  int64_t length, stride;
};
static std::optional<Blocks> blocksOf(StringRef axis) {
  bool isKeys = axis.starts_with("c");
  auto [head, tail] = axis.split('(');
  if ((!isKeys && !axis.starts_with("u")) || !tail.consume_back(")"))
    return std::nullopt;
  auto [first, second] = tail.split(',');
  Blocks blocks{isKeys ? "s" : "t", 0, 0};
  if (first.trim().getAsInteger(10, blocks.length) || blocks.length <= 0)
    return std::nullopt;
  blocks.stride = blocks.length;
  if (!second.empty() && (second.trim().getAsInteger(10, blocks.stride) || blocks.stride <= 0))
    return std::nullopt;
  return blocks;
}

static Json completeBlocks(const Blocks &blocks) {
  Json last = expression("floordiv", expression("-", blocks.positions, blocks.length), blocks.stride);
  return expression("max", 0, expression("+", std::move(last), 1));
}
static Json allBlocks(const Blocks &blocks) { return expression("ceildiv", blocks.positions, blocks.length); }

// A check as the attribute writes it, ["==", "h", ["*", "g", 4]].
static std::optional<Json> checkOf(Attribute attribute) {
  if (auto name = dyn_cast<StringAttr>(attribute))
    return Json(name.getValue());
  if (auto number = dyn_cast<mlir::IntegerAttr>(attribute))
    return Json(number.getInt());
  auto parts = dyn_cast<ArrayAttr>(attribute);
  if (!parts || parts.size() != 3)
    return std::nullopt;
  llvm::json::Array array;
  for (Attribute part : parts) {
    std::optional<Json> value = checkOf(part);
    if (!value)
      return std::nullopt;
    array.push_back(std::move(*value));
  }
  return Json(std::move(array));
}

LogicalResult ManifestWriter::readRequirements() {
  auto list = program->getAttrOfType<ArrayAttr>("requires");
  if (!list)
    return success();
  for (Attribute item : list) {
    auto fields = dyn_cast<DictionaryAttr>(item);
    Attribute check = fields ? fields.get("check") : Attribute();
    auto message = fields ? fields.getAs<StringAttr>("message") : StringAttr();
    std::optional<Json> value = check ? checkOf(check) : std::nullopt;
    if (!value || !message)
      return program.emitOpError("attribute 'requires' holds an item that is no check with a message");
    require(std::move(*value), message.getValue());
  }
  return success();
}

// A role over blocks fits the positions it was made from.
void ManifestWriter::requireBlockCounts() {
  llvm::StringSet<> seen;
  for (const Operand &role : roles)
    for (const std::string &axis : role.axes) {
      std::optional<Blocks> blocks = blocksOf(axis);
      if (!blocks || !isRoleAxis(blocks->positions) || !seen.insert(axis).second)
        continue;
      bool isRows = blocks->positions == "t";
      Json covers = llvm::json::Array{"==", axis, allBlocks(*blocks)};
      if (isRows) {
        require(std::move(covers), "axis '" + Twine(axis) + "' must count the blocks of " + Twine(blocks->length) +
                                       " query rows, the last one included");
        continue;
      }
      Json complete = llvm::json::Array{"==", axis, completeBlocks(*blocks)};
      bool isDisjoint = blocks->length == blocks->stride;
      require(isDisjoint ? Json(llvm::json::Array{"or", std::move(complete), std::move(covers)}) : std::move(complete),
              "axis '" + Twine(axis) + "' must count the complete blocks of axis 's'" +
                  (isDisjoint ? " (or all of them, the last partial one included)" : ""));
    }
}

// Axes of results whose sizes the program says.
LogicalResult ManifestWriter::readSizes() {
  auto list = program->getAttrOfType<ArrayAttr>("sizes");
  for (Attribute item : list ? list.getValue() : ArrayRef<Attribute>()) {
    auto fields = dyn_cast<DictionaryAttr>(item);
    auto name = fields ? fields.getAs<StringAttr>("name") : StringAttr();
    std::optional<Json> value = name && fields.get("value") ? checkOf(fields.get("value")) : std::nullopt;
    if (!value)
      return program.emitOpError("attribute 'sizes' holds an item that is no size with a name");
    axisSizes.push_back({name.str(), std::move(*value)});
  }
  return success();
}

LogicalResult ManifestWriter::readInterface() {
  if (failed(readOperands("roles", roles)) || failed(readOperands("results", results)) || failed(readRequirements()) ||
      failed(readSizes()))
    return failure();
  requireBlockCounts();
  for (const Operand &result : results)
    for (const std::string &axis : result.axes) {
      std::optional<Blocks> blocks = blocksOf(axis);
      if (isRoleAxis(axis) || !blocks)
        continue;
      if (llvm::none_of(axisSizes, [&](const Item &item) { return item.name == axis; }))
        axisSizes.push_back(
            {axis, result.ragged || blocks->positions == "t" ? allBlocks(*blocks) : completeBlocks(*blocks)});
    }
  return success();
}

void ManifestWriter::writeOperands(StringRef field) {
  json.attributeArray(field, [&] {
    for (const Operand &operand : field == "roles" ? roles : results)
      json.object([&] {
        json.attribute("name", operand.name);
        json.attributeArray("axes", [&] {
          for (const std::string &axis : operand.axes)
            json.value(axis);
        });
        json.attribute("inner", operand.inner);
        json.attribute("dtype", operand.dtype);
        if (operand.page)
          json.attribute("page", *operand.page);
        if (operand.kept)
          json.attribute("kept", 1);
      });
  });
}

LogicalResult ManifestWriter::writeParams() {
  auto list = program->getAttrOfType<ArrayAttr>("params");
  if (!list)
    return program.emitOpError("lacks the attribute 'params' that the manifest repeats");
  bool isValid = true;
  json.attributeArray("params", [&] {
    for (Attribute item : list) {
      auto fields = dyn_cast<DictionaryAttr>(item);
      auto name = fields ? fields.getAs<StringAttr>("name") : StringAttr();
      auto type = fields ? fields.getAs<StringAttr>("type") : StringAttr();
      if (!name || !type) {
        isValid = false;
        continue;
      }
      json.object([&] {
        json.attribute("name", name.getValue());
        json.attribute("type", type.getValue());
        if (auto number = fields.getAs<mlir::FloatAttr>("default"))
          json.attribute("default", number.getValueAsDouble());
        else if (auto integer = fields.getAs<mlir::IntegerAttr>("default"))
          json.attribute("default", integer.getInt());
      });
    }
  });
  if (!isValid)
    return program.emitOpError("attribute 'params' holds an item without name and type");
  return success();
}

void ManifestWriter::writeDerived() {
  auto item = [&](StringRef name, const Json &value) {
    json.object([&] {
      json.attribute("name", name);
      json.attribute("value", value);
    });
  };
  json.attributeArray("derived", [&] {
    for (const Item &size : axisSizes)
      item(size.name, size.value);
    for (const PlanExpressions::Derived &derived : expressions.derived())
      item(derived.name, derived.value);
  });
}

void ManifestWriter::writeRequirements() {
  json.attributeArray("requires", [&] {
    for (const Requirement &requirement : requirements)
      json.object([&] {
        json.attribute("check", requirement.check);
        json.attribute("message", requirement.message);
      });
  });
}

//===-- Workspaces and steps -----------------------------------------------------------------------------===//

// Positions of each head in memory: whole blocks of a layout.
Json ManifestWriter::positionsOf(WorkspaceOp workspace) {
  int64_t block = shapeOf(workspace).block;
  return expression("*", expression("ceildiv", expressions.of(workspace.getPositions()), block), block);
}

void ManifestWriter::writeWorkspaces() {
  // Top-level steps by number; a workspace lives from its first to its last one.
  llvm::DenseMap<Operation *, std::pair<int64_t, int64_t>> life;
  int64_t step = 0;
  for (Operation &op : plan.getBody().front()) {
    if (!isa<LaunchOp, LoopOp>(op))
      continue;
    op.walk([&](LaunchOp launch) {
      for (Value arg : launch.getArgs())
        if (auto workspace = arg.getDefiningOp<WorkspaceOp>())
          life.try_emplace(workspace, step, step).first->second.second = step;
    });
    ++step;
  }
  json.attributeArray("workspaces", [&] {
    for (auto workspace : plan.getBody().getOps<WorkspaceOp>()) {
      auto span = life.find(workspace);
      if (span == life.end())
        continue;
      ArgShape shape = shapeOf(workspace);
      Json heads = expression("*", expressions.of(workspace.getBatch()), expressions.of(workspace.getHeads()));
      Json bytes =
          expression("*", expression("*", std::move(heads), positionsOf(workspace)), shape.inner * shape.bytes);
      json.object([&] {
        json.attribute("name", workspace.getName());
        json.attribute("bytes", bytes);
        json.attribute("life", llvm::json::Array{span->second.first, span->second.second});
      });
    }
  });
}

// Contiguous [batch][head][position][inner].
void ManifestWriter::writeWorkspaceArg(WorkspaceOp workspace) {
  int64_t inner = shapeOf(workspace).inner;
  const Json &heads = expressions.of(workspace.getHeads());
  Json head = expression("*", positionsOf(workspace), inner);
  json.attribute("workspace", workspace.getName());
  json.attribute("counts", llvm::json::Array{expressions.of(workspace.getBatch()),
                                             expressions.of(workspace.getPositions()), heads});
  json.attribute("strides", llvm::json::Array{expression("*", heads, head), inner, head});
}

// Kernels take views, offsets, index and float values; PlanExpressions has refused arithmetic on anything but the
// third.
void ManifestWriter::writeArg(Value value) {
  Operation *made = value.getDefiningOp();
  json.object([&] {
    if (auto role = dyn_cast_or_null<RoleOp>(made))
      json.attribute("role", role.getName());
    else if (auto result = dyn_cast_or_null<ResultOp>(made))
      json.attribute("result", result.getName());
    else if (auto workspace = dyn_cast_or_null<WorkspaceOp>(made))
      writeWorkspaceArg(workspace);
    else if (auto offsets = dyn_cast_or_null<OffsetsOp>(made))
      json.attribute("per_batch", offsets.getName());
    else if (isa_and_nonnull<PagesOp>(made))
      json.attribute("pages", true);
    else if (auto param = dyn_cast_or_null<ParamOp>(made); param && value.getType().isF32())
      json.attribute("float", ("$" + param.getName()).str());
    else if (auto number = dyn_cast_or_null<mlir::arith::ConstantOp>(made); number && value.getType().isF32())
      json.attribute("float", cast<mlir::FloatAttr>(number.getValue()).getValueAsDouble());
    else
      json.attribute("index", expressions.of(value));
  });
}

void ManifestWriter::writeLaunch(LaunchOp launch) {
  json.attribute("kernel", launch.getKernel());
  json.attribute("grid", llvm::json::Array{expressions.of(launch.getX()), expressions.of(launch.getY()),
                                           expressions.of(launch.getZ())});
  if (ArrayAttr order = launch.getOrderAttr())
    json.attributeArray("order", [&] {
      for (StringAttr axis : order.getAsRange<StringAttr>())
        json.value(axis.getValue());
    });
  json.attributeArray("args", [&] {
    for (Value arg : launch.getArgs())
      writeArg(arg);
  });
}

void ManifestWriter::writeSteps(Region &region) {
  for (Operation &op : region.front()) {
    if (auto launch = dyn_cast<LaunchOp>(op))
      json.object([&] { writeLaunch(launch); });
    else if (auto loop = dyn_cast<LoopOp>(op))
      json.object([&] {
        json.attributeObject("loop", [&] {
          json.attribute("var", expressions.variable(loop));
          json.attribute("count", expressions.of(loop.getCount()));
        });
        json.attributeArray("body", [&] { writeSteps(loop.getBody()); });
      });
  }
}

void ManifestWriter::writeKernels() {
  json.attributeObject("kernels", [&] {
    for (const ManifestKernel &kernel : facts.kernels)
      json.attributeObject(kernel.name, [&] {
        json.attribute("symbol", kernel.symbol);
        if (kernel.block) {
          json.attribute("threads", kernel.block->threads);
          json.attribute("shared", kernel.block->sharedBytes);
          json.attributeArray("align", [&] {
            for (int64_t bytes : kernel.block->alignment)
              json.value(bytes);
          });
          if (!kernel.block->maps.empty())
            json.attributeArray("maps", [&] {
              for (const ManifestTensorMap &map : kernel.block->maps)
                json.object([&] {
                  json.attribute("arg", map.arg);
                  json.attribute("bytes", map.bytes);
                  json.attribute("inner", map.inner);
                  json.attribute("box", llvm::json::Array{map.box[0], map.box[1]});
                });
            });
        } else {
          json.attribute("scratch", kernel.scratch);
        }
      });
  });
}

// An attribute of the program as JSON. Fields keep their order, which is that of their names.
static Json jsonOf(Attribute attribute, bool withLines) {
  if (auto fields = dyn_cast<DictionaryAttr>(attribute)) {
    llvm::json::Object object;
    for (mlir::NamedAttribute field : fields)
      if (withLines || field.getName() != "line")
        object[field.getName().getValue()] = jsonOf(field.getValue(), withLines);
    return std::move(object);
  }
  if (auto list = dyn_cast<ArrayAttr>(attribute)) {
    llvm::json::Array array;
    for (Attribute item : list)
      array.push_back(jsonOf(item, withLines));
    return std::move(array);
  }
  if (auto text = dyn_cast<StringAttr>(attribute))
    return text.getValue();
  if (auto number = dyn_cast<mlir::IntegerAttr>(attribute); number && number.getValue().getSignificantBits() <= 64)
    return number.getValue().getSExtValue();
  if (auto number = dyn_cast<mlir::FloatAttr>(attribute); number && number.getValue().isFinite())
    return number.getValueAsDouble();
  return nullptr;
}

void ManifestWriter::writeExplain() {
  auto place = program.getLoc()->findInstanceOf<mlir::FileLineColLoc>();
  bool withLines = place && place.getFilename() == facts.file;
  json.attributeObject("explain", [&] {
    if (auto reasons = program->getAttrOfType<DictionaryAttr>("explain"))
      for (StringRef field : {"choices", "kernels"})
        if (Attribute value = reasons.get(field))
          json.attribute(field, jsonOf(value, withLines));
    if (llvm::json::Array streams = kernelStreams(program, withLines); !streams.empty())
      json.attribute("streams", Json(std::move(streams)));
    for (const auto &[name, lines] : facts.explain)
      json.attributeArray(name, [&] {
        for (const std::string &line : lines)
          json.value(line);
      });
  });
}

FailureOr<std::string> ManifestWriter::write() {
  if (failed(expressions.build(plan)) || failed(readInterface()))
    return failure();
  LogicalResult result = success();
  json.object([&] {
    json.attribute("format", 1);
    json.attribute("name", program.getSymName());
    json.attribute("build", facts.build);
    json.attribute("target", facts.target);
    json.attribute("pattern", facts.pattern);
    json.attribute("bind", facts.bind);
    writeOperands("roles");
    writeOperands("results");
    result = writeParams();
    writeRequirements();
    writeDerived();
    writeWorkspaces();
    json.attributeArray("steps", [&] { writeSteps(plan.getBody()); });
    writeKernels();
    writeExplain();
  });
  if (failed(result))
    return failure();
  return text;
}

} // namespace

FailureOr<std::string> sattn::planToManifest(ProgramOp program, const ManifestFacts &facts) {
  return ManifestWriter(program, facts).write();
}
