// A kernel computes what its values depend on, down to the operands that other kernels made.
#include "lib/transforms/kernels/Reasons.h"
#include "lib/transforms/kernels/Epilogue.h"
#include "llvm/ADT/SetVector.h"

namespace sattn::lower {
using mlir::Attribute;
using mlir::DictionaryAttr;
using mlir::NamedAttrList;

// The line of an op in the pattern's text; 0 where it has none.
static int64_t lineOf(Operation *op) {
  int64_t line = 0;
  op->getLoc()->walk([&](Location part) {
    auto place = dyn_cast<mlir::FileLineColLoc>(part);
    line = place ? place.getLine() : 0;
    return place ? mlir::WalkResult::interrupt() : mlir::WalkResult::advance();
  });
  return line;
}

static bool isSetAlgebra(Operation *op) { return isa<SetType>(op->getResult(0).getType()) && !isa<SelectOp>(op); }

namespace {
class Reasons {
public:
  explicit Reasons(Context &context) : context(context), b(context.pattern.getContext()) {}

  void describe(SmallVector<Attribute> &choices, SmallVector<Attribute> &kernels) {
    for (const Launch &launch : context.launches)
      for (Value value : launch.makes)
        maker.try_emplace(value, &launch);
    for (const Launch &launch : context.launches)
      kernels.push_back(launch.isAlternative ? renamed(kernels.back(), launch) : describe(launch, choices));
  }

private:
  void set(NamedAttrList &fields, StringRef name, StringRef text) { fields.set(name, b.getStringAttr(text)); }

  Attribute renamed(Attribute kernel, const Launch &launch) {
    NamedAttrList fields(cast<DictionaryAttr>(kernel));
    set(fields, "kernel", launch.kernel->kernel.getSymName());
    return fields.getDictionary(b.getContext());
  }

  NamedAttrList place(Operation *op) {
    NamedAttrList fields;
    set(fields, "op", op->getName().getStringRef());
    if (int64_t line = lineOf(op))
      fields.set("line", b.getI64IntegerAttr(line));
    return fields;
  }

  Attribute describe(const Launch &launch, SmallVector<Attribute> &choices) {
    tile::KernelOp kernel = launch.kernel->kernel;
    NamedAttrList fields;
    set(fields, "kernel", kernel.getSymName());
    SmallVector<Attribute> ops;
    for (Operation *op : computedBy(launch)) {
      ops.push_back(place(op).getDictionary(b.getContext()));
      if (auto dataflow = op->getAttrOfType<DictionaryAttr>("dataflow"))
        choices.push_back(choice(op, dataflow, kernel));
    }
    fields.set("ops", b.getArrayAttr(ops));
    Value made = launch.makes.size() == 1 ? launch.makes[0] : Value();
    if (made && !made.getDefiningOp())
      set(fields, "packs", context.bound.role(made).getName());
    else if (made && maker.lookup(made) != &launch)
      fields.set("lists", b.getI64IntegerAttr(lineOf(made.getDefiningOp())));
    return fields.getDictionary(b.getContext());
  }

  Attribute choice(Operation *op, DictionaryAttr dataflow, tile::KernelOp kernel) {
    NamedAttrList fields = place(op);
    set(fields, "kernel", kernel.getSymName());
    if (!context.dataflow.first.empty()) {
      set(fields, "kind", context.dataflow.first);
      set(fields, "why", context.dataflow.second);
      return fields.getDictionary(b.getContext());
    }
    for (mlir::NamedAttribute field : dataflow)
      fields.set(field.getName(), field.getValue());
    return fields.getDictionary(b.getContext());
  }

  // In the order of the pattern.
  SmallVector<Operation *> computedBy(const Launch &launch) {
    llvm::SetVector<Value> reached;
    if (launch.makes.empty()) {
      for (Value value : context.pattern.getBody().front().getTerminator()->getOperands())
        if (isRowWise(value))
          reached.insert(value);
    } else {
      for (Value value : launch.makes) // what another kernel has made it brings into another form
        if (maker.lookup(value) == &launch)
          reached.insert(value);
    }
    llvm::SmallPtrSet<Operation *, 16> found;
    for (unsigned i = 0; i < reached.size(); ++i) {
      const Launch *made = maker.lookup(reached[i]);
      Operation *op = reached[i].getDefiningOp();
      if (!op || (made && !llvm::is_contained(launch.makes, reached[i])))
        continue;
      found.insert(op);
      reached.insert(op->operand_begin(), op->operand_end());
    }
    SmallVector<Operation *> ops;
    for (Operation &op : context.pattern.getBody().front())
      if (found.contains(&op) && !isSetAlgebra(&op))
        ops.push_back(&op);
    return ops;
  }

  Context &context;
  mlir::Builder b;
  llvm::DenseMap<Value, const Launch *> maker;
};
} // namespace

void writeReasons(ArrayRef<Context *> forms) {
  SmallVector<Attribute> choices, kernels;
  for (Context *form : forms)
    Reasons(*form).describe(choices, kernels);
  mlir::Builder b(forms[0]->pattern.getContext());
  forms[0]->program.program->setAttr("explain",
                                     b.getDictionaryAttr({b.getNamedAttr("choices", b.getArrayAttr(choices)),
                                                          b.getNamedAttr("kernels", b.getArrayAttr(kernels))}));
}

} // namespace sattn::lower
