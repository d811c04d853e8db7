"""Every header compiles alone, without the precompiled header that hides what it forgot to include; the C interface
also as C99, pedantically.

A header is checked with the flags of a source of its folder, as build/compile_commands.json has them. A verdict is
kept in build/check/headers with the hashes of every file of ours that it rests on, so only changes cost time.
"""

import hashlib
import json
import os
import re
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from common import files, run

NOT_OURS = ("-c", "-MD", "-Winvalid-pch", "-fpch-instantiate-templates")
C_FLAGS = ["-std=c99", "-pedantic-errors", "-Wall", "-Wextra", "-Werror"]


def flags_of(entry):
    """The compile command without compiler launcher, input, output and precompiled header."""
    words = shlex.split(entry["command"])
    compiler = next(i for i, word in enumerate(words) if "clang" in Path(word).name)
    kept, skip = [], 0
    for position, word in enumerate(words[compiler:]):
        rest = words[compiler + position + 1:]
        if skip:
            skip -= 1
        elif word == "-Xclang" and rest and ("pch" in rest[0] or rest[0] == "-include"):
            skip = 3  # -Xclang -include-pch -Xclang FILE
        elif word in ("-o", "-MF", "-MT", "-MQ"):
            skip = 1
        elif word not in NOT_OURS and not word.endswith((".cpp", ".cxx", ".c")):
            kept.append(word)
    return kept


def nearest(path, commands):
    """The command whose source shares the longest part of the path."""
    return max(commands, key=lambda entry: len(os.path.commonprefix([str(path), entry["file"]])))


def digest(path):
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return ""


def sources_of(path):
    """What a command compiles: the file, or the sources that a file of several (SATTN_UNITY) includes."""
    if path.parent.name != "Unity" or not path.exists():
        return [path]
    return [Path(name) for name in re.findall(r'^#include "(.*)"$', path.read_text(), re.MULTILINE)]


class Checker:
    def __init__(self, root):
        self.root = root
        self.build = root / "build"
        self.stamps = self.build / "check" / "headers"
        self.stamps.mkdir(parents=True, exist_ok=True)
        self.commands = []
        for entry in json.loads((self.build / "compile_commands.json").read_text()):
            folder = (root / entry["directory"]).resolve()
            for source in sources_of(folder / entry["file"]):
                self.commands.append(entry | {"directory": str(folder), "file": str(source)})

    def compile(self, header, language, flags, directory):
        """The message of a header that does not compile, or None."""
        relative = header.relative_to(self.root)
        command = [*flags, "-x", language, "-fsyntax-only", "-I", str(self.root), "-MD", "-MF", "-", "-"]
        stamp = self.stamps / hashlib.sha256(f"{relative}\0{command}".encode()).hexdigest()
        if stamp.exists():
            known = json.loads(stamp.read_text())
            if all(digest(path) == value for path, value in known.items()):
                return None
        result = subprocess.run(command, input=f'#include "{relative}"\n', capture_output=True, text=True, cwd=directory)
        if result.returncode:
            error = next((line for line in result.stderr.splitlines() if "error:" in line), result.stderr.strip())
            return f"{relative}: does not compile alone as {language}: {error}"
        ours = [word for word in result.stdout.replace("\\\n", " ").split()
                if Path(directory, word).resolve().is_relative_to(self.root)]
        paths = [str(Path(directory, word).resolve()) for word in ours] + [str(header)]
        stamp.write_text(json.dumps({path: digest(path) for path in paths}))
        return None

    def check(self, header):
        # The public headers are the runtime's face.
        public = header.is_relative_to(self.root / "include")
        entry = nearest(self.root / "runtime" / header.name if public else header, self.commands)
        flags = flags_of(entry)
        messages = []
        if header.suffix == ".h" and public:
            c_compiler = flags[0].replace("++", "")
            messages.append(self.compile(header, "c", [c_compiler, *C_FLAGS, "-I", str(self.root / "include")],
                                         entry["directory"]))
        messages.append(self.compile(header, "c++", flags, entry["directory"]))
        return [message for message in messages if message]


def check(root):
    try:
        checker = Checker(root)
    except OSError as error:
        return [f"{error.filename} is missing: run tools/setup.sh first"]
    headers = [path for path in files(root, ".h", ".hpp") if path.relative_to(root).parts[0] != "bench"]
    if not checker.commands:
        return ["build/compile_commands.json has no command"]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [message for messages in pool.map(checker.check, headers) for message in messages]


def tree(**headers):
    command = {"directory": ".", "file": "lib/a.cpp",
               "command": "ccache clang++-22 -std=c++20 -Xclang -include-pch -Xclang gone.pch -o a.o -c lib/a.cpp"}
    names = {"lib": "lib/a.h", "public": "include/sattn/sattn.h"}
    return {"build/compile_commands.json": json.dumps([command])} | {names[k]: text for k, text in headers.items()}


CASES = [
    ("complete headers", tree(lib="#include <string>\nstd::string f();\n", public="int sattn_f(void);\n"), []),
    ("a forgotten include", tree(lib="std::string f();\n"), ["lib/a.h: does not compile alone as c++"]),
    ("C++ in the C interface", tree(public="#include <vector>\n"), ["sattn.h: does not compile alone as c"]),
    ("no build", {"lib/a.h": ""}, ["run tools/setup.sh first"]),
]

if __name__ == "__main__":
    run(check, CASES)
