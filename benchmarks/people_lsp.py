"""PCK@0.2 of LSP's test half as a user gets it: `har.predict` on the folder, nothing named.

    python -m har.predict source=<lsp>/images out=<results>        # or a folder of some of them
    python benchmarks/people_lsp.py <lsp>/joints.mat <results>

Prints the twelve limb joints of LSP, their mean, and in how many pictures a person was found. A
picture without a person counts as wrong; torso: left shoulder to right hip.
"""

import json
import sys
from pathlib import Path

import numpy as np

from har.data.lsp.matlab import read_joints
from har.layouts import get_layout

LIMBS = get_layout("lsp14").joints[:12]


def main(joints_file: Path, results: Path) -> None:
    """Compares every ``im*.json`` of the results with the annotated joints."""
    true = read_joints(joints_file).joints_px
    right, found = [], 0
    for path in sorted(results.glob("im*.json")):
        value = json.loads(path.read_text())
        expected = true[int(path.stem.removeprefix("im")) - 1]
        torso = np.hypot(*(expected[9] - expected[2]))
        hits = np.zeros(len(LIMBS), dtype=bool)
        if value["people"]:
            found += 1
            person = max(value["people"], key=lambda each: each["confidence"])
            names = value["joint_names"]
            joints = np.array(person["joints_px"], dtype=float)[[names.index(n) for n in LIMBS]]
            hits = np.hypot(*(joints - expected[:12]).T) <= 0.2 * torso
        right.append(hits)
    share = 100 * np.mean(right, axis=0)
    for name, value in zip(LIMBS, share, strict=True):
        print(f"{name:15} {value:5.1f}")
    print(f"{'mean':15} {share.mean():5.1f}  ({len(right)} pictures, a person in {found})")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
