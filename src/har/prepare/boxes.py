"""``python -m har.prepare boxes``: a box for every stored frame, by a network's poses."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig
from rich.console import Console

from har.data.framestore.folder import open_prepared
from har.data.framestore.index import FrameIndex
from har.data.framestore.predicted_boxes import PredictedBoxes, write_predicted_boxes
from har.data.framestore.reader import FrameStore
from har.data.framestore.staging import file_stem
from har.data.targets import BOX_ENLARGEMENT, joint_order, known_joints
from har.errors import HarError
from har.files import Image
from har.geometry import box_around, box_iou
from har.layouts import get_layout
from har.prediction.background import prefetch
from har.prediction.locating import locate_person, refine
from har.runtime.loading import load_engine
from har.visual.terminal import make_table, progress_bar
from har.weights.built_in import DEFAULT

_FRAMES_PER_PART = 500  # what a killed run loses at most
_SEARCH_EVERY = 8  # stored frames, about half a second: a person is near where they were then


class BoxesReport(NamedTuple):
    """How many samples got boxes now and had them before, and where the boxes are."""

    done: int
    kept: int
    path: Path


def prepare_boxes(cfg: DictConfig) -> None:
    """Predicts boxes for all stored frames of a data folder, and prints how well they fit.

    Raises:
        HarError: no such weights, data that is not prepared, or stores of regions.
    """
    source = cfg.weights or cfg.ckpt_path or DEFAULT
    print(f"{source} finds the persons.")
    index, store = open_prepared(cfg.paths.data_dir)
    if index.margin is not None:
        raise HarError(
            f"{index.path.parent} holds regions around the true persons only; predicted boxes need "
            "whole frames: prepare them with ntu.region=full in another folder."
        )
    options = cfg.boxes
    engine = load_engine(source, device=options.device, batch_size=options.batch_size)
    report = predict_boxes(index, store, engine)
    _print_report(report, index, engine.spec.layout)


def predict_boxes(index: FrameIndex, store: FrameStore, engine: Any) -> BoxesReport:
    """Writes ``boxes.h5`` beside the index. Samples that have boxes of the same weights keep them.

    A run that was killed goes on where it was: finished samples wait in parts beside the index.

    Args:
        index, store: the prepared data.
        engine: a :class:`har.runtime.engine.Engine`.

    Raises:
        HarError: a frame that cannot be read; what was finished is kept.
    """
    path = index.path.with_name("boxes.h5")
    weights = {"weights_sha256": engine.spec.weights_sha256, "weights": engine.spec.name}
    parts = index.path.with_name(f"boxes_{weights['weights_sha256'][:12]}")
    names = [name.decode() for name in index.names.tolist()]
    lengths = dict(zip(names, index.num_frames.tolist(), strict=True))
    finished = _finished([path, *sorted(parts.glob("*.h5"))], weights["weights_sha256"], lengths)
    missing = [name for name in names if name not in finished]
    kept, frames = len(names) - len(missing), 0
    waiting: dict[str, NDArray[np.float32]] = {}
    if missing:
        parts.mkdir(exist_ok=True)
    with progress_bar("boxes") as progress:
        reads = ((name, list(store.read(name, range(lengths[name])))) for name in missing)
        for name, images in prefetch(reads, 1):
            waiting[name] = boxes_of_sequence(engine, images).astype(np.float32)
            frames += len(images)
            progress(len(waiting) + len(finished), len(names), frames)
            if sum(map(len, waiting.values())) >= _FRAMES_PER_PART or name == missing[-1]:
                part = parts / f"{file_stem(name)}.h5"
                write_predicted_boxes(part, list(waiting), list(waiting.values()), weights)
                finished |= waiting
                waiting = {}
    if missing or not path.is_file():
        write_predicted_boxes(path, names, [finished[name] for name in names], weights)
    shutil.rmtree(parts, ignore_errors=True)
    return BoxesReport(len(missing), kept, path)


def boxes_of_sequence(engine: Any, images: Sequence[Image]) -> NDArray[np.float64]:
    """The person's box in every frame of a sequence.

    Every eighth frame is searched as a whole; the other frames are first looked at in the box of
    the nearest of these. Both are then refined twice from the poses found.

    Args:
        engine: a :class:`har.runtime.engine.Engine`.
        images: F frames (H, W, 3) uint8 RGB.

    Returns:
        (F, 4) x1, y1, x2, y2 in pixels of the frames; NaN where no person is detected.
    """
    count = len(images)
    places = np.arange(min(_SEARCH_EVERY // 2, count // 2), count, _SEARCH_EVERY)
    found = locate_person(engine, [images[place] for place in places.tolist()])
    nearest = np.abs(np.arange(count)[:, None] - places).argmin(1)
    located = refine(engine, images, found.boxes[nearest])
    nobody = located.confidence[:, None] < engine.spec.nobody_below
    return np.where(nobody, np.nan, located.boxes)


def true_boxes(index: FrameIndex, sample: int, layout: str) -> NDArray[np.float64]:
    """The boxes of a sample's frames by its annotation, (F, 4); NaN where no joint is known."""
    annotation, size = index.annotation(sample), index.frame_size(sample)
    order = np.asarray(joint_order(get_layout(layout), index.layout))
    joints, _ = known_joints(annotation.joints_px, None, order, size, index.joints_width_px)
    return box_around(joints, enlarge=BOX_ENLARGEMENT)


def _finished(
    files: list[Path], weights_sha256: str, lengths: dict[str, int]
) -> dict[str, NDArray[np.float32]]:
    """Boxes of these weights that are there already, by sample."""
    finished: dict[str, NDArray[np.float32]] = {}
    for file in files:
        try:
            boxes = PredictedBoxes(file)
        except HarError:  # not there, or the machine went down before the disk had all of it
            continue
        for name in boxes.numbers if boxes.weights_sha256 == weights_sha256 else ():
            if name in lengths and boxes.num_frames(name) == lengths[name]:
                finished[name] = boxes.of_sample(name, lengths[name]).astype(np.float32)
    return finished


def _print_report(report: BoxesReport, index: FrameIndex, layout: str) -> None:
    """The table at the end; how far the boxes agree with those of the annotated joints."""
    boxes, fits = PredictedBoxes(report.path), []
    for sample, name in enumerate(index.names.tolist()):
        predicted = boxes.of_sample(name.decode(), int(index.num_frames[sample]))
        fits.append(box_iou(predicted, true_boxes(index, sample, layout)))
    fit = np.concatenate([*fits, np.empty(0)])
    fit = fit[np.isfinite(fit)]
    table = make_table("predicted boxes", [""], [""])
    table.add_row("samples done now", str(report.done))
    table.add_row("samples there already", str(report.kept))
    table.add_row("frames", str(int(index.num_frames.sum())))
    if len(fit):
        table.add_row("mean overlap with the true joints' boxes (IoU)", f"{fit.mean():.3f}")
        share = f"{100 * (fit >= 0.5).mean():.1f} %"
        table.add_row("frames with an overlap of 0.5 and more", share)
    Console().print(
        table, f"Boxes: {report.path}; use them with data.boxes=predicted", markup=False
    )
