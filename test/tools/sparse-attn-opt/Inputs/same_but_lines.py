# Two artefacts are equal but for the lines of the pattern's text in `explain`: what goes on from an edited stage has none.
# usage: same_but_lines.py WITH_LINES WITHOUT_LINES
import json
import struct
import sys


def sections(path):
    data = open(path, "rb").read()
    count = struct.unpack_from("<I", data, 12)[0]
    places = [struct.unpack_from("<IIQQ", data, 16 + 56 * i) for i in range(count)]
    return [data[offset : offset + size] for _, _, offset, size in places]


def without_lines(value):
    if isinstance(value, dict):
        return {name: without_lines(item) for name, item in value.items() if name != "line"}
    return [without_lines(item) for item in value] if isinstance(value, list) else value


(manifest, *code), (other, *other_code) = sections(sys.argv[1]), sections(sys.argv[2])
assert code == other_code, "the code differs"
assert '"line":' in manifest.decode() and '"line":' not in other.decode(), "lines"
manifest, other = json.loads(manifest), json.loads(other)
manifest["explain"] = without_lines(manifest["explain"])
assert manifest == other, [name for name in manifest if manifest[name] != other.get(name)]
