"""Prints docs/errors.md: every numbered message, as the sources have it. usage: errors.py

A message is a string literal that begins with its number, `[SAnnnn] `, with what follows it in its statement, or a line
of an Errors.def. Where a function adds the number to what it is given, the calls of its file have the texts. SA01cc belongs to constraint (Ccc) of docs/spec.md, whose sentence is quoted; a number without such a
constraint is an error. What a message inserts is shown as an ellipsis.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools" / "check"))
from common import files, text_of  # noqa: E402
from messages import literals, statement, unescape  # noqa: E402

GROUPS = {
    1: ("Texts", "What the parser and the verifier refuse: SA01cc is constraint (Ccc) of "
                 "[the language](spec.md#5-constraints)."),
    2: ("Passes", "What a specialised pattern, its sets as a whole, or the request to the compiler make impossible."),
    3: ("Calls", "Operands, params and offsets of one call; `sparse-attn` adds the file that is meant."),
    4: ("Keys, artefacts, caches", "Binds, targets, and files that are not trusted. What makes an artefact unusable (SA0410 to "
       "SA0417) is mended by making it again; the cache does so by itself."),
    5: ("Environment", "What the machine does not give."),
    6: ("Files and options", "What `sparse-attn` refuses before there is a call."),
}
NUMBERED = re.compile(r'"\[SA(\d{4})\] ')
TABLE = re.compile(r'^(?:SATTN|TOOL)_ERROR\((\d+),[\s\w,]*?((?:\s*"(?:[^"\\\n]|\\.)*")+)\)', re.MULTILINE)
STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
FUNCTION = re.compile(r"\b(\w+)\([^()]*\)\s*\{")
CONSTRAINT = re.compile(r"^- \(C(\d+)\) (.*?)(?=^- |^\S|^$|\Z)", re.DOTALL | re.MULTILINE)
GAP = "…"


def shown(source):
    """The text of the first message in a statement; a literal with a number of its own begins the next one."""
    parts = []
    for part in literals(source):
        if parts and part.startswith("[SA"):
            break
        parts.append(part)
    else:
        if re.search(r"<<|\+", source[source.rindex('"'):]):
            parts.append("")
    return GAP.join(parts)


def in_statements(path):
    text = re.sub(r"^\s*//.*", "", text_of(path), flags=re.MULTILINE)
    for match in NUMBERED.finditer(text):
        number, message = int(match.group(1)), shown(statement(text, match.start())).split("] ", 1)[1]
        if message != GAP:
            yield number, message
            continue
        *_, function = FUNCTION.finditer(text, 0, match.start())
        for call in re.finditer(rf"\b{function.group(1)}\((?=[^;{{]*\")", text):
            yield number, shown(statement(text, call.start()))


def in_table(path):
    for number, text in TABLE.findall(text_of(path)):
        yield int(number), unescape("".join(STRING.findall(text)))


def messages(root):
    """{number: {text: [files]}}"""
    found = {}
    for folder in ("dialects", "lib", "codegen", "runtime", "tools/sparse-attn"):
        for path in files(root / folder, ".cpp", ".h", ".def"):
            for number, text in in_table(path) if path.suffix == ".def" else in_statements(path):
                places = found.setdefault(number, {}).setdefault(text.replace("{}", GAP).strip(), [])
                if (place := str(path.relative_to(root))) not in places:
                    places.append(place)
    return found


def page(root):
    constraints = {int(label): " ".join(text.split()) for label, text in CONSTRAINT.findall(text_of(root / "docs/spec.md"))}
    found = messages(root)
    lines = ["# Messages", "",
             "<!-- Made by tools/docs.sh from the sources; edit those. -->",
             "Every message begins with its number, `[SAnnnn]`, and names the place, the cause and what to write instead. "
             f"`{GAP}` stands for what a message inserts."]
    for group, (title, introduction) in GROUPS.items():
        lines += ["", f"## SA0{group}xx: {title}", introduction]
        for number in sorted(n for n in found if n // 100 == group):
            lines += ["", f"### SA{number:04}"]
            if group == 1:
                if number - 100 not in constraints:
                    sys.exit(f"errors.py: SA{number:04} belongs to no constraint (C{number - 100}) of docs/spec.md")
                lines.append(f"(C{number - 100}) {constraints[number - 100]}")
                lines.append("")
            for text, places in sorted(found[number].items()):
                lines.append(f"- `{text}`: {', '.join(places)}")
    unknown = sorted(n for n in found if n // 100 not in GROUPS)
    if unknown:
        sys.exit(f"errors.py: no group for {unknown}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(ROOT), end="")
