"""What 0.1.0 answers for four random crops: answers.py FOLDER, with last.ckpt, last.onnx in it."""

import sys
from pathlib import Path

import numpy as np
from har.inference.loading import load_engine

folder = Path(sys.argv[1])
answers = {}
for name, file in (("", "last.ckpt"), ("onnx_", "last.onnx")):
    engine = load_engine(folder / file, device="cpu", fast=False)
    width, height = engine.info.resolution
    crops = np.random.default_rng(0).integers(0, 256, (4, height, width, 3), np.uint8)
    found = engine.frames(crops)
    answers["crops"] = crops
    answers[name + "poses"] = found.poses
    answers[name + "probabilities"] = engine.actions(found.features)
np.savez_compressed(folder / "answers.npz", **answers)
for name in ("poses", "probabilities"):
    print(name, "ckpt and onnx differ by", np.abs(answers[name] - answers["onnx_" + name]).max())
