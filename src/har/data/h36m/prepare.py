"""From annotations to an index: the images stay where they are."""

import json
import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from har.data.framestore.extraction import (
    Extracted,
    PrepareReport,
    SkipSample,
    Task,
    resumable,
    run_tasks,
)
from har.data.framestore.index import FrameIndex
from har.data.framestore.predicted_boxes import write_predicted_boxes
from har.data.framestore.shards import one_sample
from har.data.framestore.staging import PreparedFolder
from har.data.h36m import deephar
from har.data.h36m.cameras import Intrinsics, find_cameras, read_cameras
from har.data.h36m.files import H36MError, find_images, find_root, missing, parse_image
from har.data.h36m.mmpose import LAYOUT, find_annotations, read_annotations
from har.data.h36m.sequence import Sequence
from har.data.records import Clip
from har.errors import HarError
from har.files import read_stored_image
from har.numbers import check_number

FRAMES_PER_SECOND = 50
_BOX_FACTOR = 2.25  # of the original's window: so many meters at the root's depth, about
_FITS_PX = 5.0  # a camera that is another one's is off by tens of pixels
_RULE = "human3.6m: the original's crop by the root's depth"


def read_sequences(
    root: Path, cameras: dict[str, Intrinsics], train_every: int, test_every: int
) -> list[Sequence]:
    """All sequences with a split, of the frames 1, 1 + n, 1 + 2 n, ...

    Raises:
        DatasetNotFoundError: there is no annotation.
        H36MError: one cannot be used, no frame is left, a camera is not listed, or the joints do
            not lie where their camera shows them.
    """
    paths = find_annotations(root)
    if not paths:
        raise missing(root, "there is no annotation_body3d/*.npz of mmpose")
    every = {"train": train_every, "test": test_every}
    rows: dict[str, dict[int, NDArray[np.float32]]] = defaultdict(dict)
    known: dict[str, tuple[str, str, str, int]] = {}
    for path in paths:
        found = read_annotations(path)
        for row, image in enumerate(found.images):
            name = parse_image(image)
            if not name.split or (name.number - 1) % every[name.split]:
                continue
            camera = f"S{name.subject}.{name.camera}"
            if camera not in cameras:
                raise H36MError(
                    f"{path} has images of the camera {camera}, which the file of cameras does "
                    "not list: take mmpose's whole file."
                )
            seen, mm = found.seen[row], found.joints_mm[row]
            if not seen.any():
                continue
            px = found.joints_px[row]
            off = np.abs(cameras[camera].project(mm[seen]) - px[seen]).max()
            if not off < _FITS_PX:
                raise H36MError(
                    f"The joints of {image} in {path} lie {off:.0f} px from where {camera} shows "
                    "them: annotations and cameras do not belong together."
                )
            joints = np.column_stack([px, mm[:, 2], seen])
            joints[~seen, :3] = np.nan
            rows[name.folder][name.number - 1] = joints.astype(np.float32)
            stated = (camera, name.action, name.split, name.digits)
            if known.setdefault(name.folder, stated)[-1] != name.digits:
                raise H36MError(
                    f"{path} writes the numbers of images in {name.folder} with "
                    f"{known[name.folder][-1]} and with {name.digits} digits, for example {image}: "
                    "name all of them alike."
                )
    sequences = []
    for folder, frames in sorted(rows.items()):
        numbers = np.array(sorted(frames), dtype=np.int32)
        joints = np.stack([frames[number] for number in numbers.tolist()])
        camera, action, split, digits = known[folder]
        sequences.append(Sequence(folder, camera, action, split, numbers, joints, digits))
    if not sequences:
        raise H36MError(
            f"No annotated image in {paths[0].parent} is of the subjects 1, 5, 6, 7, 8, 9 and 11 "
            "and of the chosen frames: set h36m.train_every=1 h36m.test_every=1."
        )
    return sequences


def group_of(sequence: Sequence) -> str:
    """The group of a sequence: those of a subject share a shard."""
    return sequence.name.partition("/")[0] if sequence.prefixed else sequence.name[5:7]


def sequence_sample(sequence: Sequence, images_dir: Path, camera: Intrinsics) -> Extracted:
    """The record of a sequence; images that cannot be read are left out.

    Args:
        sequence: what is annotated.
        images_dir: the folder of images.
        camera: of the sequence; its center lies in the middle of the pictures, about.

    Raises:
        SkipSample: none can.
    """
    sizes: dict[int, tuple[int, int]] = {}
    for row, number in enumerate(sequence.numbers.tolist()):
        try:
            image = read_stored_image(images_dir / sequence.image(number))
        except HarError:  # missing or damaged
            continue
        sizes[row] = (image.shape[1], image.shape[0])
    if not sizes:
        raise SkipSample("no images", f"No image of {images_dir / sequence.name} can be read.")
    size = max(set(sizes.values()), key=list(sizes.values()).count)
    kept = [row for row, found in sizes.items() if found == size]
    lost = len(sequence.numbers) - len(kept)
    numbers = sequence.numbers[kept]
    clip = Clip(
        sequence.name,
        numbers / FRAMES_PER_SECOND,
        sequence.joints[kept][:, None],
        group=group_of(sequence),
        label=sequence.action,
        split=sequence.split,
        numbers=numbers,
        meta={"camera": sequence.camera},
    )
    remarks = [f"{lost} of {len(sequence.numbers)} images are missing or damaged"] if lost else []
    if not ((camera.c >= 0) & (camera.c <= size)).all():
        x, y = camera.c
        remarks.append(
            f"the images have {size[0]} x {size[1]} pixels, and the camera's center ({x:.0f}, "
            f"{y:.0f}) lies outside: they are other ones, or of another size"
        )
    return Extracted(one_sample(clip, size), "; ".join(remarks))


def crop_boxes(joints: NDArray[np.float32], camera: Intrinsics, size: tuple[int, int]) -> NDArray:
    """The original's crops (F, 4): squares around the root, larger where the person is nearer.

    Args:
        joints: (F, 18, 4).
        camera: of the frames.
        size: their width and height.
    """
    root = joints[:, LAYOUT.root].astype(np.float64)
    focal = float(max(np.array(size) * camera.f))
    half = _BOX_FACTOR * focal / root[:, 2:3] / 2
    center = root[:, :2] + [0, 1]
    return np.concatenate([center - half, center + half], axis=1)


def prepare_h36m(
    data_dir: Path,
    *,
    train_every: int = 5,
    test_every: int = 64,
    workers: int = 2,
    progress: Callable[..., None] | None = None,
) -> tuple[PrepareReport, Path]:
    """Reads annotations and cameras, every image once, and writes index, boxes and report.

    Args:
        data_dir: folder of the data, or one that has it in ``h36m/``.
        train_every, test_every: of the frames 1, 1 + n, ... are taken.
        workers: processes; 0: everything in this one.
        progress: called as ``progress(done, total, frames=..., errors=...)``.

    Returns:
        The report, and the prepared folder.

    Raises:
        DatasetNotFoundError: no annotation or no cameras.
        HarError: files that cannot be used, a folder prepared otherwise, or steps that are not
            whole numbers from 1.
    """
    check_number("h36m.train_every", train_every)
    check_number("h36m.test_every", test_every)
    root = find_root(data_dir)
    output, images_dir = root / "prepared", find_images(root)
    every = train_every, test_every
    if not find_annotations(root) and (root / "annotations.mat").is_file():
        sequences, cameras = deephar.read_sequences(root / "annotations.mat", *every)
    else:
        listed = find_cameras(root)
        if listed is None:
            raise missing(root, "there is no cameras.json")
        cameras = read_cameras(listed)
        sequences = read_sequences(root, cameras, *every)
    digits = {sequence.digits for sequence in sequences}
    if len(digits) > 1:
        raise H36MError(f"The numbers of images in {root} have {sorted(digits)} digits, not one.")
    used = {s.camera: cameras[s.camera].values for s in sequences}
    settings = {
        "layout": LAYOUT.name,
        "joint_names": list(LAYOUT.joints),
        "images": os.path.relpath(images_dir.resolve(), output.resolve()),
        "image_digits": digits.pop(),
        "image_prefix": sequences[0].prefixed,
        "steps_per_second": FRAMES_PER_SECOND / test_every,
        "recipe_width_px": 0,
        "every_train": train_every,
        "every_test": test_every,
    }
    with resumable(output):
        folder = PreparedFolder(output, settings)
        names = {sequence.name: sequence for sequence in sequences}
        there = folder.finished() & set(names)
        report = PrepareReport(kept=len(there))
        tasks = [
            Task(
                s.name,
                group_of(s),
                images_dir / s.name,
                sequence_sample,
                (s, images_dir, cameras[s.camera]),
            )
            for s in sequences
            if s.name not in there
        ]
        run_tasks(tasks, folder, report, workers=workers, total=len(names), progress=progress)
        folder.write_index(store="jpeg", cameras=json.dumps(used, sort_keys=True))
        index = FrameIndex.open(output / "index.h5")
        _write_boxes(index, {name: cameras[names[name].camera] for name in names})
        report.add_remarks(output, list(names))
        report.write(output / "prepare_report.json")
        return report, output


def _write_boxes(index: FrameIndex, camera_of: dict[str, Intrinsics]) -> None:
    """The original's crops as ``boxes.h5``: ``data.boxes=predicted`` takes them."""
    names = [index.name(number) for number in range(len(index))]
    boxes = [
        crop_boxes(index.joints(number)[:, 0], camera_of[name], index.frame_size(number))
        if name in camera_of
        else np.full((int(index.num_frames[number]), 4), np.nan)
        for number, name in enumerate(names)
    ]
    stated = {"weights_sha256": _RULE, "weights": _RULE}
    path = index.path.with_name("boxes.h5")
    write_predicted_boxes(path, names, [b.astype(np.float32) for b in boxes], stated)
