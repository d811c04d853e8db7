// Reads kernels. Scalars become expressions over the task's coordinates and the kernel's arguments; each value that
// several places use, or that nests deeply, gets a name.
#include "lib/pipeline/KernelStreams.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace sattn;
using namespace sattn::tile;
namespace arith = mlir::arith;
namespace scf = mlir::scf;
using llvm::json::Array;
using llvm::json::Object;

// Expressions may nest to 64 (runtime/Expr.h); a part deeper than this is named.
static constexpr int64_t maxDepth = 24;

namespace {
/// The scalars of one kernel.
class Scalars {
public:
  explicit Scalars(KernelOp kernel) : kernel(kernel) {
    for (unsigned axis = 0; axis < 3; ++axis)
      known.try_emplace(kernel.getGrid(axis), Form{std::string(1, "xyz"[axis]), 1});
  }

  /// The expression of an index or i1 value; none where an op has no form, and then `missing` names it.
  std::optional<Json> of(Value value) {
    std::optional<Form> form = formOf(value);
    return form ? std::optional(form->json) : std::nullopt;
  }
  void bind(Value value, StringRef name) { known.try_emplace(value, Form{name.str(), 1}); }
  std::string argument(Value value) const {
    return "a" + std::to_string(cast<mlir::BlockArgument>(value).getArgNumber());
  }

  std::string missing;
  Array values; ///< [name, expression], each over what comes before it

private:
  struct Form {
    Json json;
    int64_t depth;
  };

  std::optional<Form> formOf(Value value) {
    auto found = known.find(value);
    if (found != known.end())
      return found->second;
    std::optional<Form> made = make(value);
    if (!made)
      return std::nullopt;
    bool isShared = made->json.getAsArray() && !value.hasOneUse();
    if (isShared || made->json.getAsObject() || made->depth > maxDepth)
      made = named(std::move(made->json));
    known.try_emplace(value, *made);
    return made;
  }

  Form named(Json json) {
    std::string name = "e" + std::to_string(values.size());
    values.push_back(Array{name, std::move(json)});
    return {name, 1};
  }

  std::optional<Form> refuse(const Twine &what) {
    if (missing.empty())
      missing = what.str();
    return std::nullopt;
  }

  std::optional<Form> make(Value value) {
    if (auto argument = dyn_cast<mlir::BlockArgument>(value)) {
      if (argument.getOwner()->getParentOp() == kernel && value.getType().isIndex())
        return Form{this->argument(value), 1};
      return refuse("a value that a loop carries");
    }
    Operation *op = value.getDefiningOp();
    if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
      auto number = cast<mlir::IntegerAttr>(constant.getValue()); // an operand of integer arithmetic
      return Form{number.getType().isInteger(1) ? int64_t(number.getValue().getZExtValue()) : number.getInt(), 1};
    }
    if (auto count = dyn_cast<CountOp>(op))
      return Form{argument(count.getArg()) + "." + count.getAxis().str(), 1};
    if (auto entry = dyn_cast<OfBatchOp>(op)) {
      std::optional<Form> batch = formOf(entry.getBatch());
      if (!batch)
        return std::nullopt;
      return Form{Object{{"per_batch", argument(entry.getValues())}, {"entry", std::move(batch->json)}}, 1};
    }
    if (auto select = dyn_cast<arith::SelectOp>(op))
      return chosen(select);
    return binary(op);
  }

  // condition ? a : b is b + condition * (a - b)
  std::optional<Form> chosen(arith::SelectOp op) {
    std::optional<Form> condition = formOf(op.getCondition()), a = formOf(op.getTrueValue()),
                        b = formOf(op.getFalseValue());
    if (!condition || !a || !b)
      return std::nullopt;
    if (b->json.getAsArray())
      b = named(std::move(b->json));
    int64_t depth = std::max({condition->depth, a->depth, b->depth}) + 3;
    Json distance = expression("-", std::move(a->json), b->json);
    return Form{expression("+", b->json, expression("*", std::move(condition->json), std::move(distance))), depth};
  }

  std::optional<Form> binary(Operation *op) {
    StringRef name = planOperator(op);
    std::optional<int64_t> shift, mask;
    if (op->getNumOperands() == 2) {
      std::optional<int64_t> right = mlir::getConstantIntValue(op->getOperand(1));
      if (isa<arith::ShRSIOp>(op) && right && *right >= 0 && *right < 63)
        shift = right;
      if (isa<arith::AndIOp>(op) && op->getOperand(0).getType().isIndex()) {
        if (!right || *right < 0 || !llvm::isPowerOf2_64(static_cast<uint64_t>(*right) + 1))
          return refuse("'arith.andi' with anything but 2^n - 1");
        mask = right;
      }
    }
    if (name.empty() && !shift)
      return refuse("'" + op->getName().getStringRef() + "'");
    std::optional<Form> a = formOf(op->getOperand(0)), b = formOf(op->getOperand(1));
    if (!a || !b)
      return std::nullopt;
    int64_t depth = std::max(a->depth, b->depth) + 1;
    if (shift)
      return Form{expression("floordiv", std::move(a->json), int64_t(1) << *shift), depth};
    if (mask)
      return Form{expression("mod", std::move(a->json), *mask + 1), depth};
    return Form{expression(name, std::move(a->json), std::move(b->json)), depth};
  }

  KernelOp kernel;
  llvm::DenseMap<Value, Form> known;
};

/// The streams of one kernel.
class StreamReader {
public:
  StreamReader(KernelOp kernel, bool withLines) : kernel(kernel), scalars(kernel), withLines(withLines) {}

  std::optional<Object> read() {
    kernel.walk<mlir::WalkOrder::PreOrder>([&](Operation *op) {
      if (auto loop = dyn_cast<scf::ForOp>(op))
        enter(loop);
      else if (auto stream = dyn_cast<StreamOp>(op))
        add(stream);
      else if (auto stream = dyn_cast<StreamInverseOp>(op))
        add(stream);
    });
    if (streams.empty())
      return std::nullopt;
    return Object{{"kernel", kernel.getSymName()},
                  {"values", std::move(scalars.values)},
                  {"loops", std::move(loops)},
                  {"streams", std::move(streams)}};
  }

private:
  // A loop from any start with any step counts its turns: its variable is start + step * turn.
  void enter(scf::ForOp loop) {
    std::optional<int64_t> low = mlir::getConstantIntValue(loop.getLowerBound()),
                           step = mlir::getConstantIntValue(loop.getStep());
    std::optional<Json> high = scalars.of(loop.getUpperBound());
    if (low != 0 || step != 1 || !high)
      return; // its variable stays unknown
    std::string name = "i" + std::to_string(loops.size());
    loops.push_back(Array{name, std::move(*high)});
    scalars.bind(loop.getInductionVar(), name);
    loopNames[loop] = name;
  }

  // What an operand of a product is loaded or gathered from.
  static Value viewOf(Value operand) {
    if (auto load = operand.getDefiningOp<LoadOp>())
      return load.getView();
    auto gather = operand.getDefiningOp<tile::GatherOp>();
    return gather ? gather.getView() : Value();
  }

  Object begin(Operation *op) {
    Object fields;
    if (auto place = dyn_cast<mlir::FileLineColLoc>(op->getLoc()); place && withLines)
      fields["line"] = int64_t(place.getLine());
    // The operands and the shape of the first product are those of the stream.
    op->walk([&](DotOp dot) {
      TileType shape = dot.getResult().getType();
      fields["tile"] = Array{shape.getRows(), shape.getCols()};
      Value view = viewOf(dot.getB());
      // Where the heads of a row are the columns, keys are the rows.
      if (auto slice = view ? view.getDefiningOp<SliceOp>() : SliceOp(); slice && slice.getAcross()) {
        fields["tile"] = Array{1, shape.getRows()};
        view = viewOf(dot.getA());
      }
      if (view)
        if (auto slice = view.getDefiningOp<SliceOp>())
          if (auto argument = dyn_cast<mlir::BlockArgument>(slice.getArg()))
            fields["keys"] = cast<mlir::StringAttr>(kernel.getArgNames()[argument.getArgNumber()]).getValue();
      return mlir::WalkResult::interrupt();
    });
    Array in;
    for (Operation *outer = op->getParentOp(); outer != kernel; outer = outer->getParentOp()) {
      if (auto name = loopNames.find(outer); name != loopNames.end())
        in.insert(in.begin(), name->second);
      else if (auto inverse = inverses.find(outer); inverse != inverses.end())
        fields["of"] = inverse->second;
      else
        fields["unknown"] = ("it stands inside '" + outer->getName().getStringRef() + "'").str();
    }
    if (!in.empty())
      fields["in"] = std::move(in);
    return fields;
  }

  std::optional<Json> scalar(Value value, Object &fields) {
    scalars.missing.clear();
    std::optional<Json> json = scalars.of(value);
    if (!json)
      fields["unknown"] = "its bounds depend on " + scalars.missing;
    return json;
  }

  void add(StreamOp stream) {
    // Its tiles are partial results, not keys.
    if (stream.walk([](tile::MergeOp) { return mlir::WalkResult::interrupt(); }).wasInterrupted())
      return;
    Object fields = begin(stream);
    Array runs;
    auto cover = stream.getCover().getDefiningOp<CoverOp>();
    if (!cover) {
      fields["unknown"] = "its tiles are no cover";
    } else {
      for (unsigned i = 0; i < cover.getLo().size(); ++i) {
        Array run;
        for (Value bound : {cover.getLo()[i], cover.getHi()[i], cover.getFullLo()[i], cover.getFullHi()[i]})
          if (std::optional<Json> json = scalar(bound, fields))
            run.push_back(std::move(*json));
        runs.push_back(std::move(run));
      }
    }
    if (!fields.get("unknown"))
      fields["runs"] = std::move(runs);
    streams.push_back(std::move(fields));
  }

  // The lists are data of the call: what is known is how many rows and slots a task has.
  void add(StreamInverseOp stream) {
    Object fields = begin(stream);
    inverses[stream] = static_cast<int64_t>(streams.size());
    std::string unit = "u" + std::to_string(streams.size());
    scalars.bind(stream.getBody().getArgument(0), unit);
    fields["unit"] = unit;
    fields["members"] = static_cast<int64_t>(stream.getMembers());
    auto invert = stream.getInverse().getDefiningOp<InvertOp>();
    auto slice = invert ? invert.getLists().getDefiningOp<SliceOp>() : SliceOp();
    if (!slice) {
      fields["unknown"] = "its lists are no operand of the kernel";
    } else {
      fields["slots"] = cast<ArgType>(slice.getArg().getType()).getInner();
      std::optional<Json> units = scalar(invert.getUnits(), fields), first = scalar(invert.getPosition(), fields);
      std::optional<Json> limit = slice.getLimit()
                                      ? scalar(slice.getLimit(), fields)
                                      : std::optional<Json>(scalars.argument(slice.getArg()) + ".positions");
      if (units && first && limit) {
        fields["units"] = std::move(*units);
        fields["rows"] = expression("min", static_cast<int64_t>(invert.getCount()),
                                    expression("max", 0, expression("-", std::move(*limit), std::move(*first))));
      }
    }
    streams.push_back(std::move(fields));
  }

  KernelOp kernel;
  Scalars scalars;
  bool withLines;
  Array loops, streams;
  llvm::DenseMap<Operation *, std::string> loopNames;
  llvm::DenseMap<Operation *, int64_t> inverses;
};
} // namespace

Array sattn::kernelStreams(ProgramOp program, bool withLines) {
  Array kernels;
  for (KernelOp kernel : program.getBody().getOps<KernelOp>())
    if (std::optional<Object> streams = StreamReader(kernel, withLines).read())
      kernels.push_back(std::move(*streams));
  return kernels;
}
