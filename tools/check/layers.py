"""Holds the library edges to the table SATTN_LAYERS that ends the root CMakeLists.txt.

An edge is a link (target_link_libraries, or LINKS of our own functions) or an #include that crosses folders; a folder
belongs to the targets that its CMakeLists.txt defines. Tools, tests and benchmarks may use everything; the runtime
and the public headers include nothing of LLVM, MLIR or CUDA.
"""

import re

from common import files, line_of, run, text_of

FREE = ("tools", "test", "bench", "examples")
# Targets without code of their own: flags and the precompiled header.
HELPERS = {"sattn-flags", "sattn-pch"}
RUNTIME = "sattn-runtime"
FOREIGN_INCLUDE = re.compile(r"^(llvm|llvm-c|mlir|mlir-c|lld|clang|cuda|cudart|nvrtc)[./_]")
FOREIGN_LINK = re.compile(r"^(MLIR|LLVM|lld|cuda|CUDA::|nvrtc)")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
# A command, with one level of brackets inside its arguments; comments are removed before.
COMMAND = re.compile(r"^[ \t]*(\w+)[ \t]*\(((?:[^()]|\([^()]*\))*)\)", re.MULTILINE)
KEYWORDS = {"SOURCES", "LINKS", "DEPENDS", "MLIR", "PUBLIC", "PRIVATE", "INTERFACE", "STATIC", "SHARED", "OBJECT"}


def read_table(text):
    block = re.search(r"set\(SATTN_LAYERS(.*?)\)", text, re.DOTALL)
    rows = re.findall(r'"([\w-]+):([^"]*)"', block.group(1)) if block else []
    return {target: set(allowed.split()) for target, allowed in rows}


def commands(text):
    text = re.sub(r"#.*", "", text)
    for match in COMMAND.finditer(text):
        yield match.group(1), re.findall(r'"[^"]*"|[^\s"]+', match.group(2)), line_of(text, match.start())


def links_of(command, words):
    """The target that the command is about and the names it links; (None, []) for other commands."""
    if not words:
        return None, []
    if command == "target_link_libraries":
        return words[0], [w for w in words[1:] if w not in KEYWORDS]
    if command in ("sattn_compiler_library", "sattn_unit_test", "add_library", "add_executable"):
        linked, keyword = re.findall(r"\$<TARGET_OBJECTS:([\w-]+)>", " ".join(words)), ""
        for word in words[1:]:
            if word in KEYWORDS:
                keyword = word
            elif keyword == "LINKS":
                linked.append(word)
        return words[0], linked
    return None, []


def defines_target(command, words):
    return command in ("sattn_compiler_library", "add_library") and words and "INTERFACE" not in words[1:2]


def folder_of(path, owners):
    """The nearest folder that defines targets; `sattn/...` and include/ are the runtime's public face."""
    parts = path.split("/")[:-1]
    if parts[:1] in (["sattn"], ["include"]):
        return "runtime" if "runtime" in owners else None
    while parts:
        if "/".join(parts) in owners:
            return "/".join(parts)
        parts.pop()
    return None


def check_links(root, table, owners):
    messages = []
    for path in files(root, "CMakeLists.txt"):
        folder = str(path.parent.relative_to(root))
        if folder == "." or folder.startswith(FREE):
            continue
        for command, words, line in commands(text_of(path)):
            where = f"{path.relative_to(root)}:{line}"
            target, linked = links_of(command, words)
            if defines_target(command, words) and target not in HELPERS:
                owners.setdefault(folder, set()).add(target)
                if target not in table:
                    messages.append(f"{where}: target '{target}' has no row in SATTN_LAYERS")
            if target is None or target in HELPERS or target not in table:
                continue
            for name in linked:
                if target == RUNTIME and FOREIGN_LINK.match(name):
                    messages.append(f"{where}: the runtime links '{name}'")
                if name.startswith("sattn-") and name not in HELPERS and name not in table[target]:
                    messages.append(f"{where}: '{target}' may not link '{name}'")
    return messages


def check_includes(root, table, owners):
    messages = []
    for path in files(root, ".c", ".cpp", ".h", ".hpp", ".def"):
        relative = str(path.relative_to(root))
        if relative.startswith(FREE):
            continue
        here = folder_of(relative, owners)
        text = text_of(path)
        for match in INCLUDE.finditer(text):
            bracket, name = match.groups()
            where = f"{relative}:{line_of(text, match.start())}"
            if (here == "runtime" or relative.startswith("include/")) and FOREIGN_INCLUDE.match(name):
                messages.append(f"{where}: the runtime includes '{name}'")
            if bracket == '"' and not (root / name).exists() and (path.parent / name).exists():
                messages.append(f"{where}: '{name}' is relative: write the path from the repository root")
            there = folder_of(name, owners)
            if here is None or there is None or here == there:
                continue
            if not any(target in table.get(user, ()) for user in owners[here] for target in owners[there]):
                messages.append(f"{where}: '{' '.join(sorted(owners[here]))}' may not include '{name}'")
    return messages


def check(root):
    table = read_table(text_of(root / "CMakeLists.txt"))
    if not table:
        return ["CMakeLists.txt: no table SATTN_LAYERS"]
    owners = {}
    messages = check_links(root, table, owners)
    return messages + check_includes(root, table, owners)


TABLE = 'set(SATTN_LAYERS\n  "sattn-runtime:"\n  "sattn-support:"\n  "sattn-top: sattn-support sattn-runtime")\n'
TREE = {
    "CMakeLists.txt": TABLE,
    "lib/support/CMakeLists.txt": "add_library(sattn-support STATIC A.cpp)\n",
    "lib/support/A.h": "#include <vector>\n",
    "lib/top/CMakeLists.txt": "sattn_compiler_library(sattn-top SOURCES B.cpp LINKS sattn-support DEPENDS gen)\n",
    "lib/top/B.cpp": '#include "lib/support/A.h"\n#include <sattn/sattn.h>\n',
    "runtime/CMakeLists.txt": "add_library(sattn-runtime SHARED C.cpp)\ntarget_link_libraries(sattn-runtime PRIVATE dl)\n",
    "runtime/C.cpp": '#include "runtime/C.h"\n',
    "runtime/C.h": "",
    "include/sattn/sattn.h": "#include <stdint.h>\n",
    "tools/opt/main.cpp": '#include "lib/top/B.h"\n',
}


CASES = [
    ("the allowed edges", TREE, []),
    ("no table", {"CMakeLists.txt": ""}, ["no table"]),
    (
        "a link upwards",
        TREE | {"lib/support/CMakeLists.txt": "add_library(sattn-support A.cpp)\n"
                "target_link_libraries(sattn-support PUBLIC\n  sattn-top) # upwards\n"},
        ["CMakeLists.txt:2: 'sattn-support' may not link 'sattn-top'"],
    ),
    (
        "objects are links too",
        TREE | {"lib/support/CMakeLists.txt": "add_library(sattn-support A.cpp $<TARGET_OBJECTS:sattn-top>)\n"},
        ["may not link 'sattn-top'"],
    ),
    (
        "LINKS of our function",
        TREE | {"lib/top/CMakeLists.txt": "sattn_compiler_library(sattn-top SOURCES B.cpp LINKS sattn-other)\n"},
        ["'sattn-top' may not link 'sattn-other'"],
    ),
    (
        "a library without a row",
        TREE | {"lib/new/CMakeLists.txt": "add_library(sattn-new N.cpp)\n"},
        ["target 'sattn-new' has no row"],
    ),
    (
        "an include upwards, also of a generated file",
        TREE | {"lib/support/A.h": '#include "lib/top/Gen.h.inc"\n'},
        ["A.h:1: 'sattn-support' may not include 'lib/top/Gen.h.inc'"],
    ),
    (
        "the public headers belong to the runtime",
        TREE | {"lib/support/A.h": "#include <sattn/sattn.h>\n"},
        ["may not include 'sattn/sattn.h'"],
    ),
    (
        "the runtime and LLVM",
        TREE | {
            "runtime/CMakeLists.txt": "add_library(sattn-runtime SHARED C.cpp)\n"
            "target_link_libraries(sattn-runtime PRIVATE LLVM)\n",
            "runtime/C.h": '#include "llvm/ADT/StringRef.h"\n',
            "include/sattn/sattn.h": "#include <cuda.h>\n",
        },
        ["the runtime links 'LLVM'", "the runtime includes 'cuda.h'", "the runtime includes 'llvm/ADT/StringRef.h'"],
    ),
    ("a relative include", TREE | {"runtime/C.cpp": '#include "C.h"\n'}, ["'C.h' is relative"]),
]

if __name__ == "__main__":
    run(check, CASES)
