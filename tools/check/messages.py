"""Every message that a user can meet has a test that quotes it.

Compiler: for each message given in dialects/, lib/ and codegen/, the longest literal part of its text stands in a
test (an expected-error, a CHECK line or a C++ string under test/). Runtime: each error of runtime/Errors.def is named
by a test, as Err::Name or by its number SAnnnn. Messages of the pattern language begin with the number of their
constraint.
"""

import re

from common import files, line_of, run, text_of

# Functions that carry a message to the user, and variables that hold one on its way.
EMITTERS = re.compile(r"\b(emitOpError|emitError|emitWarning|createStringError|error|refuse|fail|complain)\s*\(|"
                      r"\b\*?(error|message|why)\s*=(?!=)")
STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
ERROR = re.compile(r"^SATTN_ERROR\((\d+),\s*\w+,\s*(\w+)", re.MULTILINE)
TESTS = (".mlir", ".test", ".c", ".cpp", ".h", ".py", ".txt", ".inc")
# Messages that no test can provoke, and why: they tell of a broken toolchain.
UNPROVOKED = {
    "cannot assemble a kernel:": "LLVM emits objects for x86-64 wherever the compiler was built",
    "LLVM crashed": "an edited text that its verifiers let pass and its passes do not",
}
# Where every message is one that an author of patterns meets.
LANGUAGE = "dialects/pattern/"
# A shorter literal would be found anywhere: such a message is searched as a whole, gaps included.
TELLING = 12


def unescape(text):
    return text.replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")


def statement(text, start):
    """The source from `start` to the end of the statement: a semicolon or brace outside strings and brackets."""
    depth, position = 0, start
    while position < len(text):
        character = text[position]
        if character == '"':
            position = STRING.match(text, position).end() if STRING.match(text, position) else position + 1
            continue
        depth += (character in "([") - (character in ")]")
        if depth < 0 or (depth == 0 and character in ";{}"):
            break
        position += 1
    return text[start:position]


def literals(source):
    """The literal parts of a streamed message; adjacent strings are one part, as they are for the compiler."""
    joined = re.sub(r'"\s*\n?\s*"', "", re.sub(r"//.*", "", source))
    return [unescape(part) for part in STRING.findall(joined)]


def emitted(root):
    """(place, literal parts) of each diagnostic of the compiler."""
    for folder in ("dialects", "lib", "codegen"):
        for path in files(root / folder, ".cpp", ".h"):
            text = text_of(path)
            for match in EMITTERS.finditer(text):
                parts = [part for part in literals(statement(text, match.start())) if part.strip(" ':,.")]
                if parts:
                    yield f"{path.relative_to(root)}:{line_of(text, match.start())}", parts


def is_tested(parts, corpus):
    longest = max(parts, key=len)
    if len(longest) >= TELLING:
        return longest.strip() in corpus
    return re.search(".*".join(re.escape(part) for part in parts), corpus) is not None


def check(root):
    # Strings that a C++ test breaks over lines are joined, and escapes undone, as the user sees them.
    corpus = "\n".join(unescape(re.sub(r'"\s*\n\s*"', "", text_of(path))) for path in files(root / "test", *TESTS))
    messages = [f"{place}: no test quotes '{max(parts, key=len).strip()}'"
                for place, parts in emitted(root)
                if max(parts, key=len).strip() not in UNPROVOKED and not is_tested(parts, corpus)]
    messages += [f"{place}: '{''.join(parts)}' has no number: begin it with the [SA01cc] of its constraint"
                 for place, parts in emitted(root)
                 if place.startswith(LANGUAGE) and not parts[0].startswith("[SA")]
    messages += [f"tools/check/messages.py: UNPROVOKED has '{text}', but a test quotes it"
                 for text in UNPROVOKED if text in corpus]
    table = root / "runtime" / "Errors.def"
    for number, name in ERROR.findall(text_of(table)) if table.exists() else ():
        if not re.search(rf"\bErr::{name}\b|\bSA0*{number}\b", corpus):
            messages.append(f"runtime/Errors.def: no test names error {name} (SA{int(number):04})")
    return messages


SOURCE = 'return emitOpError("expected a positive width, but got ")\n       << width; // "not this"\n'
CASES = [
    (
        "quoted by a test",
        {
            "dialects/a.cpp": SOURCE + 'if (x) { emitError(loc) << "no " << a << " in \\"" << b; }\n',
            "test/invalid.mlir": "// expected-error@+1 {{expected a positive width, but got 0}}\n// no w in \"q\"\n",
            "runtime/Errors.def": 'SATTN_ERROR(300, BAD, NullArgument, "x")\nSATTN_ERROR(301, BAD, StructSize, "y")\n',
            "test/runtime/a.cpp": "CHECK(status.error() == Err::NullArgument);\nCHECK(text == \"[SA0301] y\");\n",
        },
        [],
    ),
    (
        "the language is numbered",
        {
            "dialects/pattern/a.cpp": 'emitError(l) << "[SA0105] never used: remove it";\nemitError(l) << "is used too often";\n',
            "test/a.mlir": "// [SA0105] never used: remove it\n// is used too often\n",
        },
        ["dialects/pattern/a.cpp:2: 'is used too often' has no number"],
    ),
    ("no test", {"dialects/a.cpp": SOURCE}, ["dialects/a.cpp:1: no test quotes 'expected a positive width, but got'"]),
    (
        "a string over two lines",
        {"lib/a.cpp": 'emitError(l) << "one half and "\n  "the other";\n', "test/a.mlir": "// one half and the one"},
        ["no test quotes 'one half and the other'"],
    ),
    (
        "wrappers and variables carry messages too",
        {"lib/a.cpp": 'refuse("coefficient " + Twine(x) + " is out of range");\n*error = "the size is unknown";\n'},
        ["lib/a.cpp:1: no test quotes 'is out of range'", "lib/a.cpp:2: no test quotes 'the size is unknown'"],
    ),
    (
        "a short text counts as a whole",
        {"lib/a.cpp": 'emitError(l) << "bad " << x << " at";\n', "test/a.mlir": "bad\nat"},
        ["no test quotes 'bad'"],
    ),
    (
        "an untested error of the runtime",
        {"runtime/Errors.def": 'SATTN_ERROR(300, BAD, NullArgument, "x")\n', "test/a.cpp": "Err::NullArguments"},
        ["no test names error NullArgument (SA0300)"],
    ),
]

if __name__ == "__main__":
    run(check, CASES)
