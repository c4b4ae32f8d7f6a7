"""Writing synthetic MPII: images, and the same annotations in all the forms in which MPII is used.

Images that are validation images of MPII by their number are so here too, with the same person
numbers. The official structure has the irregularities of the real one, see
:mod:`har.data.mpii.official`.
"""

import json
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import scipy.io

from har.data.mpii.split import tompson_validation
from har.data.processes import run_in_processes
from har.errors import HarError
from har.files import whole_file
from har.synthetic.mpii import VERSION, draw
from har.synthetic.mpii_labels import (
    FOUND_BY_BOX,
    AnnotatedImage,
    AnnotatedPerson,
    simulate_image,
)
from har.synthetic.ntu import WriteReport, check_settings

_JOINT_ORDER = (6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15)  # most often in the real file
_NO_NUMBER = np.zeros((0, 0))
OFFICIAL_NAME = "mpii_human_pose_v1_u12_1.mat"


# ------------------------------------------------------------------------------------ everything


def write_mpii(
    root: Path,
    images: int,
    seed: int = 0,
    workers: int = 2,
    progress: Callable[..., None] | None = None,
) -> WriteReport:
    """Writes images and annotations; images that are there already stay as they are.

    Args:
        root: gets ``images/``, the official ``.mat``, ``annot/`` with the JSON files, and the
            original program's ``annotations.mat``.
        images: how many.
        seed: of everything random.
        workers: processes.
        progress: called as ``progress(done, total)`` after every image.

    Raises:
        HarError: a folder with something else in it or with other settings, or one that cannot be
            written.
    """
    if root.is_dir() and any(root.iterdir()) and not (root / "synthetic.json").is_file():
        raise HarError(
            f"{root} holds something else, perhaps the real data set, which is not overwritten: "
            "write to another folder (paths.data_dir=<folder>)."
        )
    (root / "images").mkdir(parents=True, exist_ok=True)
    (root / "annot").mkdir(exist_ok=True)
    check_settings(root, {"images": images, "seed": seed, "version": VERSION})
    validation = defaultdict(list)
    for number, person in tompson_validation().tolist():
        validation[number].append(person)
    tasks = [(number, tuple(validation.get(number, ()))) for number in range(1, images + 1)]
    report, annotated = WriteReport(), []
    results = run_in_processes(
        partial(_write_image, folder=str(root / "images"), seed=seed),
        tasks,
        _killed,
        workers if images > 20 else 0,
    )
    for image, new in results:
        annotated.append(image)
        report.written += new
        report.skipped += not new
        if progress is not None:
            progress(len(annotated), images)
    annotated.sort(key=lambda image: image.number)
    write_official(root / OFFICIAL_NAME, annotated, seed)
    write_json(root / "annot", annotated)
    write_deephar(root / "annotations.mat", annotated)
    return report


def _killed(task: tuple[int, tuple[int, ...]]) -> tuple[AnnotatedImage, bool]:
    raise HarError(f"A process died while it wrote image {task[0]}: is there memory left?")


def _write_image(
    task: tuple[int, tuple[int, ...]], folder: str, seed: int
) -> tuple[AnnotatedImage, bool]:
    """Writes an image if it is not there; its annotations, and whether it was written."""
    number, validation = task
    scene, image = simulate_image(number, seed, validation)
    path = Path(folder, image.name)
    if path.is_file():
        return image, False
    picture, quality = cv2.cvtColor(draw(scene), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90]
    with whole_file(path) as partial:
        if not cv2.imwrite(str(partial), picture, quality):
            raise HarError(f"OpenCV cannot write the image {path}: is the folder writable?")
    return image, True


def _save_matlab(path: Path, variables: dict[str, Any]) -> None:
    with whole_file(path) as partial:
        scipy.io.savemat(partial, variables, do_compression=True)


def _struct_array(rows: list[dict[str, Any]]) -> np.ndarray:
    """A 1 x N struct array; fields that a row lacks are empty."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    array = np.empty((1, len(rows)), dtype=[(name, object) for name in names])
    for number, row in enumerate(rows):
        for name in names:
            array[0, number][name] = row.get(name, _NO_NUMBER)
    return array


def _cell(items: list[Any], shape: tuple[int, ...]) -> np.ndarray:
    array = np.empty(len(items), dtype=object)
    for number, item in enumerate(items):
        array[number] = item
    return array.reshape(shape)


def _smallest(value: float) -> np.ndarray:
    """A number in the smallest type that fits, as MATLAB scripts left them."""
    kind: Any = np.float64
    if value == int(value):
        kind = next(
            (k for k in (np.uint8, np.uint16, np.int16) if value == np.array(value).astype(k)),
            np.float64,
        )
    return np.array([[value]]).astype(kind)


# ---------------------------------------------------------------------------------- the official


def write_official(path: Path, images: list[AnnotatedImage], seed: int = 0) -> None:
    """``mpii_human_pose_v1_u12_1.mat``."""
    annolist = []
    for image in images:
        rng = np.random.default_rng([seed, image.number, 0, 4])
        rects = [_rect(person, image.train, rng) for person in image.persons]
        annolist.append(
            {
                "image": {"name": image.name},
                "annorect": _struct_array(rects) if rects else _NO_NUMBER,
                "frame_sec": _smallest(image.number % 300) if image.train else _NO_NUMBER,
                "vididx": _smallest(1 + image.number % 7) if image.train else _NO_NUMBER,
            }
        )
    apart = [np.array(_who_stands_apart(image), np.uint8)[:, None] for image in images]
    activity = {"cat_name": "synthetic", "act_name": "any pose", "act_id": _smallest(1)}
    unknown = {"cat_name": _NO_NUMBER, "act_name": _NO_NUMBER, "act_id": np.array([[-1]])}
    release = {
        "annolist": _struct_array(annolist),
        "img_train": np.array([[image.train for image in images]], np.uint8),
        "version": "12",
        "single_person": _cell([a if a.size else _NO_NUMBER for a in apart], (len(images), 1)),
        "act": _struct_array([activity if image.train else unknown for image in images]).T,
        "video_list": _cell([f"video{number}" for number in range(7)], (1, 7)),
    }
    _save_matlab(path, {"RELEASE": release})


def _who_stands_apart(image: AnnotatedImage) -> list[int]:
    """Numbers of the labeled persons who are further than half their height from all others."""
    labeled = [(n, p) for n, p in enumerate(image.persons, 1) if p.labeled]
    return [
        number
        for number, person in labeled
        if all(
            other is person
            or np.linalg.norm(other.centre_px - person.centre_px) > 100 * person.scale
            for _, other in labeled
        )
    ]


def _rect(person: AnnotatedPerson, train: bool, rng: np.random.Generator) -> dict[str, Any]:
    """An ``annorect``; which fields it has differs from person to person."""
    x, y = (_smallest(value) for value in person.centre_px)
    place = {"scale": np.array([[person.scale]]), "objpos": {"x": x, "y": y}}
    if not train or (not person.labeled and rng.random() < 0.5):
        return place
    box = dict(zip(("x1", "y1", "x2", "y2"), person.head_box_px, strict=True))
    rect: dict[str, Any] = {key: _smallest(v) for key, v in box.items() if np.isfinite(v)}
    kind = rng.random()
    if kind < 0.02:
        rect["part_occ1"] = np.array([[1]], np.uint8)
    elif kind < 0.3:
        rect |= {"head_r11": np.array([[0.5]]), "torso_r11": np.array([[0.5]])}
    if not person.labeled:
        return {**rect, "annopoints": _NO_NUMBER, **place}
    how = ("number", "text", "number", "nothing")[int(rng.integers(4))]
    order = _JOINT_ORDER if rng.random() < 0.8 else rng.permutation(16).tolist()
    points = []
    for joint in order:
        px = person.joints_px[joint]
        if np.isnan(px).any():
            continue
        seen = bool(person.visible[joint])
        point: dict[str, Any] = {
            "x": _smallest(px[0]),
            "y": _smallest(px[1]),
            "id": _smallest(joint),
        }
        if how == "number":
            point["is_visible"] = _NO_NUMBER if joint in FOUND_BY_BOX else _smallest(seen)
        elif how == "text":
            point["is_visible"] = str(int(seen))
        points.append(point)
    return {**rect, "annopoints": {"point": _struct_array(points)}, **place}


# ----------------------------------------------------------------------------------- the others


def _in_split(image: AnnotatedImage, validation: bool) -> list[tuple[int, AnnotatedPerson]]:
    """Labelled persons of an image that validate (or train), with their numbers."""
    if validation:
        chosen = [(number, image.persons[number - 1]) for number in image.validation]
    elif image.train and not image.validation:
        chosen = list(enumerate(image.persons, 1))
    else:
        chosen = []
    return [(number, person) for number, person in chosen if person.labeled]


def write_json(folder: Path, images: list[AnnotatedImage]) -> None:
    """``train.json``, ``valid.json`` and ``gt_valid.mat``, as HRNet and mmpose use them."""
    for name, validation in (("train.json", False), ("valid.json", True)):
        rows = [
            {
                "joints_vis": np.isfinite(person.joints_px).all(-1).astype(int).tolist(),
                "joints": np.where(np.isnan(person.joints_px), -1.0, person.joints_px).tolist(),
                "image": image.name,
                "scale": person.scale,
                "center": person.centre_px.tolist(),
            }
            for image in images
            for _, person in _in_split(image, validation)
        ]
        with whole_file(folder / name) as partial:
            partial.write_text(json.dumps(rows), encoding="utf-8")
    valid = [person for image in images for _, person in _in_split(image, True)]
    joints = np.array([p.joints_px for p in valid]).reshape(-1, 16, 2).transpose(1, 2, 0)
    boxes = np.array([p.head_box_px for p in valid]).reshape(-1, 2, 2).transpose(1, 2, 0)
    names = "rank rkne rhip lhip lkne lank pelv thor neck head rwri relb rsho lsho lelb lwri"
    _save_matlab(
        folder / "gt_valid.mat",
        {
            "dataset_joints": _cell(names.split(), (1, 16)),
            "jnt_missing": np.isnan(joints).any(1).astype(np.uint8),
            "pos_gt_src": np.where(np.isnan(joints), 0.0, joints),
            "headboxes_src": boxes,
        },
    )


def write_deephar(path: Path, images: list[AnnotatedImage]) -> None:
    """``annotations.mat`` of the original program."""
    variables = {}
    for name, validation in (("annot_tr", False), ("annot_val", True)):
        rows: list[list[Any]] = [[], [], []]
        for image in images:
            numbers = [number for number, _ in _in_split(image, validation)]
            if numbers:
                rows[0].append(np.array(numbers, np.uint8)[:, None])
                rows[1].append(image.name)
                persons = [_deephar_person(person) for person in image.persons]
                rows[2].append(_cell(persons, (len(persons), 1)))
        cells = [item for row in rows for item in row]
        variables[name] = _cell(cells, (3, len(rows[0])))
    _save_matlab(path, variables)


def _deephar_person(person: AnnotatedPerson) -> dict[str, Any]:
    return {
        "head": person.head_box_px[None],
        "objpos": person.centre_px[None],
        "scale": np.array([[person.scale]]),
        "pose": person.joints_px.T,
    }
