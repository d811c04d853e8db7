"""House rules that are one regular expression each: what must not stand where, and what to write instead."""

import re
from dataclasses import dataclass

from common import files, line_of, run, text_of

CXX = (".c", ".cpp", ".h", ".hpp")
SCRIPTS = (".py", ".sh")
TEXTS = (".md", ".td", ".def", ".mlir", ".cmake", ".txt", ".json")
COMPILER = ("dialects/", "lib/", "codegen/")
LIBRARIES = COMPILER + ("runtime/", "include/")
THIS = "tools/check/words.py"


@dataclass
class Rule:
    pattern: str
    instead: str
    endings: tuple = CXX
    where: tuple = ("",)  # the path begins with one of these
    unless: tuple = ()  # and with none of these


RULES = [
    Rule(r"\bstd::(cout|cerr)\b|^\s*(printf|puts)\(", "libraries do not print: report through diagnostics or the log hook",
         where=LIBRARIES),
    Rule(r"\b(secure_)?getenv\s*\(", "the environment is read in runtime/Environment.cpp and lib/nvidia/Libraries.cpp alone",
         where=LIBRARIES, unless=("runtime/Environment.cpp", "lib/nvidia/Libraries.cpp")),
    Rule(r"\b\w*(builder|rewriter|Builder|Rewriter|\bb)(\.|->)create<", "deprecated: write Op::create(builder, loc, ...)"),
    Rule(r"^\s*using\s+namespace\b", "no using-directive in a header", endings=(".h", ".hpp")),
    Rule(r"^namespace\s+mlir\b[^{]*\{(?!\s*((class|struct)\s+\w+;\s*)*\})", "only forward declarations stand in mlir",
         where=LIBRARIES + ("tools/", "test/")),
    Rule(r"\b(throw\s+[\w:]+\s*[({]|catch\s*\()", "no exceptions in code that is built without them", where=COMPILER),
    Rule(r"\bassert\s*\(\s*(false|0)\s*&&", "user text may reach this: emit a diagnostic, or say llvm_unreachable",
         where=COMPILER),
    Rule(r"\bfile\s*\(\s*GLOB", "list the sources", endings=("CMakeLists.txt", ".cmake")),
    Rule(r"\b(TODO|FIXME|XXX|HACK)\b", "do it, or say in docs/rationale.md why not", endings=CXX + SCRIPTS + TEXTS),
    Rule(r"(?<![\w.])/(home|root|work)/|(?<![\w.])/tmp/\w+/", "a path of one machine", endings=CXX + SCRIPTS + TEXTS),
    Rule(r"[ \t]+$", "trailing space", endings=CXX + SCRIPTS + TEXTS, unless=("docs/generated/", "LICENSE")),
    Rule(r"\t", "a tab: indent with spaces", endings=CXX + SCRIPTS + (".td", ".def", ".mlir", ".cmake")),
]


def check(root):
    rules = [(rule, re.compile(rule.pattern, re.MULTILINE)) for rule in RULES]
    endings = tuple({ending for rule in RULES for ending in rule.endings})
    messages = []
    for path in files(root, *endings):
        relative = str(path.relative_to(root))
        if relative == THIS:
            continue
        text = text_of(path)
        for rule, pattern in rules:
            applies = path.name.endswith(rule.endings) and relative.startswith(rule.where)
            if not applies or (rule.unless and relative.startswith(rule.unless)):
                continue
            for match in pattern.finditer(text):
                found = match.group().strip() or "space at the end of the line"
                messages.append(f"{relative}:{line_of(text, match.start())}: '{found}': {rule.instead}")
    return messages


CASES = [
    (
        "what is right stays silent",
        {
            "lib/a.cpp": "// create<Op> is fine in words\nllvm::errs() << x;\nAddOp::create(builder, loc);\n",
            "runtime/Environment.cpp": 'getenv("SATTN_VERBOSE");\n',
            "tools/x/main.cpp": "std::cout << 1;\nusing namespace sattn;\n",
            "docs/a.md": "a path like build/work/x\n",
        },
        [],
    ),
    ("printing in a library", {"lib/a.cpp": "std::cout << 1;\n"}, ["lib/a.cpp:1: 'std::cout'"]),
    ("the environment", {"runtime/Cache.cpp": '\nauto *e = getenv("HOME");\n'}, ["runtime/Cache.cpp:2: 'getenv('"]),
    ("the deprecated create", {"lib/a.cpp": "rewriter.create<AddOp>(loc);\n"}, ["write Op::create"]),
    ("using in a header", {"lib/a.h": "using namespace mlir;\n"}, ["no using-directive"]),
    (
        "foreign namespace",
        {"lib/a.cpp": "namespace mlir {\nint f();\n}\n", "lib/b.h": "namespace mlir {\nclass A;\nstruct B;\n} // mlir\n"},
        ["lib/a.cpp:1: 'namespace mlir {': only forward"],
    ),
    ("exceptions", {"codegen/a.cpp": "throw Error(1);\n"}, ["no exceptions"]),
    ("an assert on text", {"dialects/a.cpp": 'assert(false && "no");\n'}, ["emit a diagnostic"]),
    ("globbing", {"lib/CMakeLists.txt": "file(GLOB x *.cpp)\n"}, ["list the sources"]),
    ("left open", {"tools/a.py": "# FIXME: later\n"}, ["do it, or say"]),
    ("one machine", {"README.md": "see /work/main\n"}, ["a path of one machine"]),
    ("spaces", {"lib/a.cpp": "int a; \n\tint b;\n"}, ["trailing space", "a tab"]),
]

if __name__ == "__main__":
    run(check, CASES)
