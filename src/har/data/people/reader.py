"""Photographs of LSP and LSP extended in the layout pa17j, with depth, and places without anybody.

Pelvis and thorax are the middles of hips and shoulders, the spine is between them; neck and head
are LSP's own (the head is its top). Joints that nobody annotated teach nothing.

Pictures in the folder ``nobody`` beside ``teacher.npz`` show nobody either: one's own, or those
that ``benchmarks/nobody_pictures.py`` collects.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from har.data.lsp.reader import open_prepared as open_lsp
from har.data.people.teacher import Landmarks, exchanged, taught
from har.data.records import PersonSet
from har.files import read_image
from har.geometry import box_around, box_from_center, box_iou, center_and_window
from har.layouts import MISSING, get_layout

TEACHER, NOBODY = "teacher.npz", "nobody"
LAYOUT = get_layout("pa17j")
_NOBODY_SEED = 19
_NOBODY_SIDE = (0.2, 0.7)  # of the photograph's longer side
_TRIES = 20
_PLACES = 2  # of a picture of nobody, besides the whole
_AROUND_PERSON = 1.4  # of the joints' box: limbs and what they hold stay out of the others


def open_prepared(data_dir: Path, *, extended: bool = True, nobody: int = 1500) -> PersonSet:
    """What ``experiment=people`` learns from, and LSP's test half.

    Args:
        data_dir: folder of the data: LSP prepared, and in its folder ``teacher.npz`` as
            ``benchmarks/teach_people.py`` writes it.
        extended: with the photographs of LSP extended.
        nobody: crops beside the persons, in which nobody is to be seen.

    Raises:
        DatasetNotFoundError: LSP is not prepared.
        HarError: the teacher's file is missing or damaged, or a picture of nobody is no image.
    """
    lsp = open_lsp(data_dir, extended=extended)
    numbers = np.array(LAYOUT.order_from(lsp.layout))
    joints = np.where((numbers == MISSING)[:, None], np.nan, lsp.rows["joints_px"][:, numbers])
    depth = np.full(joints.shape[:2], np.nan)
    train = np.flatnonzero(lsp.rows["split"] == b"train")
    teacher = Landmarks.read(lsp.images_dir / TEACHER, lsp.rows["image"][train])
    sides = exchanged(joints[train], LAYOUT, teacher)
    joints[train], depth[train], agrees = taught(joints[train], LAYOUT.joints, teacher)
    joints[train] = _with_middles(joints[train])
    there = train[agrees]
    boxes = box_around(joints[there], enlarge=_AROUND_PERSON)
    empty, photograph = _boxes_beside(boxes, teacher.size[agrees], nobody)
    # Of each of LSP extended's pairs of joints 8 to 10 % are exchanged, of LSP's own 2 to 4 %: the
    # teacher is wrong in about as many. What both see stays, the middle of them as well.
    sides &= np.char.startswith(lsp.rows["id"][train], b"lspet/")[:, None]
    joints[train] = np.where(sides[..., None], np.nan, joints[train])
    images, places = _pictures(lsp.images_dir)
    return _persons(
        lsp,
        joints,
        depth,
        np.concatenate([lsp.rows["image"][there[photograph]], images]),
        np.concatenate([empty, places]),
    )


def _with_middles(joints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Joints (N, J, 2) with the middles of others, NaN where one of these is."""
    places = {name: joints[:, number] for number, name in enumerate(LAYOUT.joints)}
    pelvis = (places["left hip"] + places["right hip"]) / 2
    thorax = (places["left shoulder"] + places["right shoulder"]) / 2
    places |= {"pelvis": pelvis, "thorax": thorax, "spine": (pelvis + thorax) / 2}
    return np.stack([places[name] for name in LAYOUT.joints], axis=1)


def _boxes_beside(
    persons: NDArray[np.float64], sizes: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.int_]]:
    """Squares inside photographs that do not touch the person.

    Args:
        persons: (N, 4) around them.
        sizes: (N, 2) of the photographs.
        count: how many squares at most.

    Returns:
        (C, 4), and (C,) the numbers of their photographs.
    """
    rng = np.random.default_rng(_NOBODY_SEED)
    photograph = rng.integers(len(persons), size=_TRIES * count)
    size = sizes[photograph]
    side = rng.uniform(*_NOBODY_SIDE, len(photograph)) * size.max(1)
    center = rng.uniform(size=size.shape) * size
    boxes = box_from_center(center, np.stack([side, side], 1))
    clear = ~(box_iou(boxes, persons[photograph]) > 0)
    chosen = np.flatnonzero(clear)[:count]
    return boxes[chosen], photograph[chosen]


def _pictures(root: Path) -> tuple[NDArray[np.bytes_], NDArray[np.float64]]:
    """Pictures of nobody, (P,) below ``root``, each whole and some squares of it, (P, 4)."""
    rng = np.random.default_rng(_NOBODY_SEED)
    files = sorted((root / NOBODY).glob("[!.]*"))
    boxes = np.zeros((len(files), 1 + _PLACES, 4))
    for number, path in enumerate(files):
        height, width = read_image(path).shape[:2]
        side = rng.uniform(*_NOBODY_SIDE, (_PLACES, 1)) * max(width, height)
        center = rng.uniform(size=(_PLACES, 2)) * (width, height)
        boxes[number, 0] = 0, 0, width, height
        boxes[number, 1:] = box_from_center(center, side * np.ones(2))
    names = np.array([f"{NOBODY}/{path.name}".encode() for path in files], dtype=np.bytes_)
    return np.repeat(names, 1 + _PLACES), boxes.reshape(-1, 4)


def _persons(
    lsp: PersonSet,
    joints: NDArray[np.float64],
    depth: NDArray[np.float64],
    images: NDArray[np.bytes_],
    empty: NDArray[np.float64],
) -> PersonSet:
    """One set of the persons and, behind them, boxes (C, 4) of images (C,) without anybody."""
    others = np.zeros(len(empty), dtype=lsp.rows.dtype)
    others["split"] = b"train"
    for name in ("length_px", "box_px", "area_px2"):
        others[name] = np.nan
    rows = np.concatenate([lsp.rows, others])
    columns: dict[str, Any] = {
        name: rows[name]
        for name in rows.dtype.names or ()
        if name not in ("joints_px", "visible", "image")
    }
    people = len(lsp)
    columns["image"] = np.concatenate([rows["image"][:people], images])
    nobody = np.full((len(empty), *joints.shape[1:]), np.nan)
    columns["joints_px"] = np.concatenate([joints, nobody])
    columns["depth_mm"] = np.concatenate([depth, nobody[..., 0]])
    columns["visible"] = np.full(columns["depth_mm"].shape, -1)
    box = box_around(columns["joints_px"])
    box[people:] = empty
    columns["center_px"], window = center_and_window(box)
    columns["window_px"] = window.max(1) * np.where(np.arange(len(box)) < people, 1.25, 1)
    ids = [f"nobody/{number}".encode() for number in range(len(empty))]
    columns["id"] = np.concatenate([rows["id"][:people], np.array(ids, dtype=np.bytes_)])
    found = PersonSet.from_columns(lsp.images_dir, LAYOUT, lsp.source, **columns)
    return replace(found, unlabeled="unknown")
