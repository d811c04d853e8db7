// The launch plan of a tile program: names of the call, workspaces, launches and loops. Kernels: TileTask.
#include "lib/reference/TileInterp.h"
#include "dialects/pattern/Kinds.h"
#include "lib/reference/TileTask.h"
#include "llvm/ADT/StringSwitch.h"

namespace sattn::ref {
using namespace tile;
using mlir::ArrayAttr;
using mlir::DictionaryAttr;
using mlir::StringAttr;

namespace {

/// A role or result as the attributes of the program declare it.
struct Interface {
  std::string name;
  SmallVector<std::string> axes;
  bool ragged = false; ///< a block axis of a result counts the last, incomplete block too
  int64_t page = 0;    ///< of a role in pages: positions of one
};

/// `c(32, 16)`: blocks of 32 positions every 16.
struct BlockAxis {
  int64_t length = 0, stride = 0;
};

std::optional<BlockAxis> blocksOf(StringRef axis) {
  auto [name, rest] = axis.split('(');
  auto [length, stride] = rest.rtrim(')').split(',');
  BlockAxis blocks;
  if (length.trim().getAsInteger(10, blocks.length) || blocks.length < 1)
    return std::nullopt;
  blocks.stride = blocks.length;
  if (!stride.empty() && (stride.trim().getAsInteger(10, blocks.stride) || blocks.stride < 1))
    return std::nullopt;
  return blocks;
}

bool isPosition(StringRef axis) {
  return llvm::is_contained({AxisKind::Rows, AxisKind::RowBlocks, AxisKind::Keys, AxisKind::KeyBlocks},
                            axisKindOf(axis.split('(').first));
}
bool isHead(StringRef axis) { return llvm::is_contained({AxisKind::QueryHeads, AxisKind::KvHeads}, axisKindOf(axis)); }

class PlanRun {
public:
  PlanRun(ProgramOp program, const Call &call, Errors &errors, TileOptions options)
      : program(program), call(call), errors(errors), options(options) {}

  FailureOr<std::vector<Output>> run() {
    if (call.rows)
      errors.fail() << "a program computes every row: rows cannot be sampled";
    if (!readInterfaces("roles", roles) || !readInterfaces("results", results) || !takeRoles() || !makeResults() ||
        !positions())
      return failure();
    runBlock(program.getPlan().getBody().front());
    if (errors.occurred())
      return failure();
    std::vector<Output> outputs;
    for (const Interface &result : results)
      outputs.push_back({result.name, arrayOf(result)});
    return outputs;
  }

private:
  //===-- The interface of the pattern.
  bool readInterfaces(StringRef attribute, std::vector<Interface> &list) {
    auto items = program->getAttrOfType<ArrayAttr>(attribute);
    if (!items)
      return errors.fail() << "program lacks the attribute '" << attribute << "'", false;
    for (Attribute item : items) {
      auto fields = dyn_cast<DictionaryAttr>(item);
      auto name = fields ? fields.getAs<StringAttr>("name") : StringAttr();
      auto axes = fields ? fields.getAs<ArrayAttr>("axes") : ArrayAttr();
      if (!name || !axes)
        return errors.fail() << "attribute '" << attribute << "' holds an item without name and axes", false;
      auto page = fields.getAs<mlir::IntegerAttr>("page");
      list.push_back({name.str(), {}, fields.contains("ragged"), page ? page.getInt() : 0});
      for (auto axis : axes.getAsRange<StringAttr>())
        list.back().axes.push_back(axis.str());
    }
    return true;
  }

  static bool hasBatchAxis(const Interface &of) { return llvm::any_of(of.axes, isPosition); }

  /// Puts an array into the order of memory, or memory into that of an array.
  void transfer(const Interface &of, Array &array, Memory &memory, bool intoMemory) {
    bool batched = hasBatchAxis(of);
    for (size_t i = 0; i < array.data.size(); ++i) {
      int64_t b = 0, head = 0, position = 0, inner = 0, rest = static_cast<int64_t>(i), scale = 1;
      for (int axis = static_cast<int>(array.shape.size()) - 1; axis >= 0; --axis) {
        int64_t at = rest % array.shape[axis];
        rest /= array.shape[axis];
        StringRef name = axis - batched >= 0 ? StringRef(of.axes[axis - batched]) : "";
        if (axis == 0 && batched)
          b = at;
        else if (isPosition(name))
          position = at;
        else if (isHead(name))
          head = at;
        else {
          inner += at * scale;
          scale *= array.shape[axis];
        }
      }
      if (of.page) {
        b = pageOf(b, position / of.page);
        position %= of.page;
      }
      if (b < 0)
        continue; // no key of the call
      double &stored = memory.data[memory.row(b, head, position) * memory.inner + inner];
      if (intoMemory)
        stored = array.data[i];
      else
        array.data[i] = stored;
    }
  }

  Operand blank(StringRef name, int64_t batch, int64_t heads, int64_t positions, int64_t inner) {
    auto memory = std::make_shared<Memory>(Memory{name.str(), batch, heads, positions, inner, {}, {}});
    memory->data.assign(batch * heads * positions * inner, notWritten);
    memory->writer.assign(memory->data.size(), -1);
    Operand operand;
    operand.memory = std::move(memory);
    return operand;
  }

  /// Memory for an array of `shape` with the axes of `of`.
  Operand memoryFor(const Interface &of, ArrayRef<int64_t> shape) {
    int64_t batch = 1, heads = 1, positions = 1, inner = 1;
    bool batched = hasBatchAxis(of), anyHead = false;
    for (auto [i, extent] : llvm::enumerate(shape)) {
      StringRef axis = i >= batched ? StringRef(of.axes[i - batched]) : "";
      anyHead |= isHead(axis);
      (i < batched ? batch : isPosition(axis) ? positions : isHead(axis) ? heads : inner) *= extent;
    }
    Operand operand = blank(of.name, batch, heads, positions, inner);
    operand.hasBatch = operand.hasPositions = batched;
    operand.hasHeads = anyHead;
    return operand;
  }

  //===-- Pages: those of the batch entries lie in reverse order behind one that holds NaN, and pages behind the last
  // key have no place.
  int64_t pageOf(int64_t b, int64_t entry) { return static_cast<int64_t>(table->data[table->row(b, 0, entry)]); }

  Operand poolFor(const Interface &of, ArrayRef<int64_t> shape) {
    Operand operand = memoryFor(of, shape);
    Memory &memory = *operand.memory;
    int64_t batch = memory.batch, entries = (memory.positions + of.page - 1) / of.page;
    if (!table) {
      operands["pages"] = blank("pages", batch, 1, entries, 1);
      table = operands["pages"].memory;
      for (int64_t b = 0; b < batch; ++b) {
        int64_t keys = call.kvLen.empty() ? memory.positions : call.kvLen[b];
        for (int64_t entry = 0; entry < entries; ++entry)
          table->data[table->row(b, 0, entry)] =
              entry * of.page < keys ? static_cast<double>(batch * entries - (b * entries + entry)) : -1.0;
      }
    }
    operand.memory = blank(of.name, batch * entries + 1, memory.heads, of.page, memory.inner).memory;
    return operand;
  }

  bool takeRoles() {
    for (const Interface &role : roles) {
      auto given = call.roles.find(role.name);
      if (given == call.roles.end())
        return errors.fail() << "role '" << role.name << "' is not given to the program", false;
      Array array = given->second;
      if (array.shape.size() != role.axes.size() + hasBatchAxis(role))
        return errors.fail() << "role '" << role.name << "' has " << array.shape.size()
                             << " axes in the call but the program"
                             << " has " << role.axes.size() + hasBatchAxis(role),
               false;
      if (array.size() != static_cast<int64_t>(array.data.size()))
        return errors.fail() << "role '" << role.name << "' has " << array.data.size()
                             << " elements but its shape needs " << array.size(),
               false;
      if (hasBatchAxis(role))
        sizes["B"] = array.shape[0];
      for (auto [i, axis] : llvm::enumerate(role.axes))
        sizes[axis] = array.shape[i + hasBatchAxis(role)];
      Operand operand = role.page ? poolFor(role, array.shape) : memoryFor(role, array.shape);
      transfer(role, array, *operand.memory, true);
      operands["role " + role.name] = std::move(operand);
    }
    return true;
  }

  /// Size of an axis of the call, or of blocks of one.
  std::optional<int64_t> sizeOf(StringRef axis, bool ragged) {
    int64_t size;
    if (auto known = sizes.find(axis); known != sizes.end())
      return known->second;
    if (!axis.getAsInteger(10, size))
      return size;
    std::optional<BlockAxis> blocks = blocksOf(axis);
    bool rows = axis.starts_with("u");
    auto positions = sizes.find(rows ? "t" : "s");
    if (!blocks || positions == sizes.end())
      return std::nullopt;
    size = positions->second;
    if (ragged || rows)
      return (size + blocks->length - 1) / blocks->length;
    return size < blocks->length ? 0 : (size - blocks->length) / blocks->stride + 1;
  }

  /// An expression of the attribute `sizes`: an integer, an axis, `$param`, or [op, a, b].
  std::optional<int64_t> sizeOf(Attribute expression) {
    if (auto number = dyn_cast_or_null<mlir::IntegerAttr>(expression))
      return number.getInt();
    if (auto name = dyn_cast_or_null<StringAttr>(expression)) {
      StringRef text = name.getValue();
      if (!text.consume_front("$"))
        return sizeOf(text, false);
      std::optional<double> value = param(text);
      return value ? std::optional(static_cast<int64_t>(*value)) : std::nullopt;
    }
    auto parts = dyn_cast_or_null<ArrayAttr>(expression);
    auto op = parts && parts.size() == 3 ? dyn_cast<StringAttr>(parts[0]) : StringAttr();
    std::optional<int64_t> x = op ? sizeOf(parts[1]) : std::nullopt, y = x ? sizeOf(parts[2]) : std::nullopt;
    if (!y)
      return std::nullopt;
    return llvm::StringSwitch<std::optional<int64_t>>(op.getValue())
        .Case("+", *x + *y)
        .Case("-", *x - *y)
        .Case("*", *x * *y)
        .Case("min", std::min(*x, *y))
        .Case("max", std::max(*x, *y))
        .Default(std::nullopt);
  }

  void readSizes() {
    if (auto list = program->getAttrOfType<ArrayAttr>("sizes"))
      for (auto item : list.getAsRange<DictionaryAttr>())
        if (auto name = item.getAs<StringAttr>("name"))
          if (std::optional<int64_t> size = sizeOf(item.get("value")))
            sizes[name.getValue()] = *size;
  }

  bool makeResults() {
    readSizes();
    for (Interface &result : results) {
      SmallVector<int64_t> shape;
      if (hasBatchAxis(result))
        shape.push_back(sizes.lookup("B"));
      for (StringRef axis : result.axes) {
        std::optional<int64_t> size = sizeOf(axis, result.ragged);
        if (!size)
          return errors.fail() << "axis '" << axis << "' of result '" << result.name << "' has no size in this call",
                 false;
        shape.push_back(*size);
      }
      shapes[result.name] = shape;
      operands["result " + result.name] = memoryFor(result, shape);
    }
    return true;
  }

  Array arrayOf(const Interface &result) {
    Array array = Array::zeros(shapes[result.name]);
    transfer(result, array, *operands["result " + result.name].memory, false);
    return array;
  }

  bool positions() {
    int64_t batch = sizes.lookup("B"), keys = sizes.lookup("s");
    auto fill = [&](StringRef name, const std::vector<int64_t> &given, int64_t otherwise) {
      offsets[name] = given.empty() ? std::vector<int64_t>(batch, otherwise) : given;
      int64_t most = 0;
      for (int64_t value : offsets[name])
        most = std::max(most, value);
      sizes[(name + "_max").str()] = most;
    };
    fill("q_offset", call.qOffset, 0);
    fill("kv_offset", call.kvOffset, 0);
    fill("kv_len", call.kvLen, keys);
    sizes["heads_inside"] = call.headsInside;
    return true;
  }

  std::optional<double> param(StringRef name) {
    if (auto given = call.params.find(name); given != call.params.end())
      return given->second;
    if (auto list = program->getAttrOfType<ArrayAttr>("params"))
      for (auto fields : list.getAsRange<DictionaryAttr>())
        if (auto known = fields.getAs<StringAttr>("name"); known && known == name) {
          if (auto integer = fields.getAs<mlir::IntegerAttr>("default"))
            return static_cast<double>(integer.getInt());
          if (auto real = fields.getAs<mlir::FloatAttr>("default"))
            return real.getValueAsDouble();
        }
    return std::nullopt;
  }

  //===-- Steps.
  void runBlock(Block &block) {
    for (Operation &op : block)
      if (!errors.occurred())
        runOp(&op);
  }

  void runOp(Operation *op) {
    if (auto launch = dyn_cast<LaunchOp>(op))
      return runLaunch(launch);
    if (auto loop = dyn_cast<LoopOp>(op))
      return runLoop(loop);
    if (auto workspace = dyn_cast<WorkspaceOp>(op))
      return makeWorkspace(workspace);
    if (auto dim = dyn_cast<DimOp>(op)) {
      auto size = sizes.find(dim.getName());
      if (size == sizes.end())
        errors.fail() << "the call has no size '" << dim.getName() << "'";
      else
        values.setIndex(dim.getValue(), size->second);
    } else if (auto ask = dyn_cast<ParamOp>(op)) {
      std::optional<double> value = param(ask.getName());
      if (!value)
        errors.fail() << "param '" << ask.getName() << "' has no value";
      else
        values.set(ask.getValue(), Number::fromTile(*value, ask.getValue().getType()));
    } else if (auto role = dyn_cast<RoleOp>(op)) {
      setOperand(role.getValue(), "role " + role.getName().str());
    } else if (auto result = dyn_cast<ResultOp>(op)) {
      setOperand(result.getValue(), "result " + result.getName().str());
    } else if (auto pages = dyn_cast<PagesOp>(op)) {
      setOperand(pages.getValue(), "pages");
    } else if (auto list = dyn_cast<OffsetsOp>(op)) {
      values.set(list.getValue(), &offsets[list.getName()]);
    } else {
      SmallVector<Number> numbers;
      for (Value operand : op->getOperands())
        numbers.push_back(values.number(operand));
      values.set(op->getResult(0), evaluateScalar(op, numbers, errors));
    }
  }

  void setOperand(mlir::TypedValue<ArgType> value, const std::string &name) {
    auto known = operands.find(name);
    if (known == operands.end())
      errors.fail() << "the interface of the program has no " << name;
    else if (known->second.memory->inner != value.getType().getInner())
      errors.fail() << name << " has " << known->second.memory->inner << " inner elements but its operand "
                    << value.getType().getInner();
    else
      values.set(value, known->second);
  }

  void makeWorkspace(WorkspaceOp op) {
    int64_t batch = values.index(op.getBatch()), heads = values.index(op.getHeads());
    int64_t positions = values.index(op.getPositions());
    if (batch < 0 || heads < 0 || positions < 0) {
      errors.fail() << "workspace '" << op.getName() << "' has a negative size";
      return;
    }
    values.set(op.getValue(), blank(op.getName(), batch, heads, positions, op.getValue().getType().getInner()));
  }

  void runLoop(LoopOp loop) {
    for (int64_t i = 0, count = values.index(loop.getCount()); i < count && !errors.occurred(); ++i) {
      // What an iteration leaves in a workspace of its own is no input of the next.
      program.getPlan().getBody().walk([&](WorkspaceOp workspace) {
        bool own =
            llvm::all_of(workspace.getValue().getUsers(), [&](Operation *user) { return loop->isAncestor(user); });
        if (own) {
          std::vector<double> &data = values.get<Operand>(workspace.getValue()).memory->data;
          data.assign(data.size(), notWritten);
        }
      });
      values.setIndex(loop.getInductionVar(), i);
      runBlock(loop.getBody().front());
    }
  }

  void runLaunch(LaunchOp launch) {
    auto kernel = mlir::SymbolTable::lookupNearestSymbolFrom<KernelOp>(launch, launch.getKernelAttr());
    SmallVector<TileValue> arguments;
    for (Value operand : launch.getArgs()) {
      arguments.push_back(values[operand]);
      if (auto *memory = std::get_if<Operand>(&arguments.back()))
        memory->memory->writer.assign(memory->memory->writer.size(), -1);
    }
    int64_t x = values.index(launch.getX()), y = values.index(launch.getY()), z = values.index(launch.getZ());
    size_t operandCount = arguments.size();
    for (int64_t task = x * y * z - 1; task >= 0 && !errors.occurred(); --task) {
      arguments.resize(operandCount);
      for (int64_t coordinate : {task % x, task / x % y, task / (x * y)})
        arguments.push_back(Number::ofInteger(coordinate));
      TileTask(task, options, errors).run(kernel, arguments);
    }
  }

  ProgramOp program;
  const Call &call;
  Errors &errors;
  TileOptions options;
  std::vector<Interface> roles, results;
  llvm::StringMap<int64_t> sizes;
  llvm::StringMap<std::vector<int64_t>> offsets;
  llvm::StringMap<SmallVector<int64_t>> shapes;
  llvm::StringMap<Operand> operands;
  std::shared_ptr<Memory> table; ///< of "pages"
  Values values;
};

} // namespace

FailureOr<std::vector<Output>> interpretProgram(ProgramOp program, const Call &call,
                                                llvm::function_ref<InFlightDiagnostic()> emitError,
                                                TileOptions options) {
  Errors errors(emitError);
  return PlanRun(program, call, errors, options).run();
}

} // namespace sattn::ref
