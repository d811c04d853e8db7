"""Changes one expected result of a folder of packed calls: spoil.py FOLDER."""

import json
import sys
from pathlib import Path

import numpy as np

folder = Path(sys.argv[1])
facts = json.loads(sorted(folder.glob("*.json"))[0].read_text())
file = folder / facts["outputs"][0]["file"]
values = np.load(file)
values.flat[0] += 1
np.save(file, values)
