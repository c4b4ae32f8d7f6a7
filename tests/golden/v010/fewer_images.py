"""Keeps a few synthetic MPII images (5 validate), coded smaller; the others are "missing"."""

import sys
from pathlib import Path

import cv2

KEEP = {1, 2, 3, 4, 7, 18, 28, 30, 31}
for path in sorted(Path(sys.argv[1]).glob("*.jpg")):
    if int(path.stem) in KEEP:
        cv2.imwrite(str(path), cv2.imread(str(path)), [cv2.IMWRITE_JPEG_QUALITY, 25])
    else:
        path.unlink()
