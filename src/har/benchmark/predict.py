"""``python -m har.benchmark predict``: a full-HD video through every stage, alone and together.

A drawn person acts in a full-HD video. Each stage is timed by itself, then the whole command with
and without the annotated video, and what a frame of a camera takes from decoding to drawing.
"""

import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig
from rich.console import Console

from har.files import Image
from har.prediction.annotation import Annotator
from har.prediction.boxes_file import BoxesFile
from har.prediction.following import FramePrediction
from har.prediction.locating import cut_crops, locate_person
from har.prediction.predictor import Predictor
from har.prediction.tracking import GivenBoxes
from har.prediction.videos import WIDEST_PX, predict_video
from har.runs.config import instantiate
from har.runtime.engine import Engine
from har.runtime.loading import load_engine
from har.synthetic.ntu import synthetic_samples, write_ntu
from har.video import Video
from har.video_writer import video_file
from har.visual.terminal import make_table
from har.weights import save_weights, spec_of

_BOX = (660.0, 120.0, 1260.0, 960.0)  # where the drawn person is


def benchmark_predict(cfg: DictConfig) -> None:
    """Frames a second of every stage and of the whole, and the latency of a camera's frame."""
    with tempfile.TemporaryDirectory(prefix="har-") as name:
        folder = Path(name)
        path = _full_hd_video(folder)
        weights = cfg.weights or _untrained(cfg, folder)
        engines = {
            size: load_engine(weights, device=cfg.device, batch_size=size)
            for size in (cfg.clip_size, 1)
        }
        for engine in engines.values():
            engine.compile()
        title = f"a full-HD video, {engines[1].spec.name}"
        table = make_table(title, ["stage"], ["ms per frame", "frames/s"])
        predictor = Predictor(engines[cfg.clip_size])
        for stage, seconds in (_stages(predictor, path, folder) | _whole(predictor, path)).items():
            table.add_row(stage, f"{1000 * seconds:.1f}", f"{1 / seconds:.0f}")
        console = Console()
        console.print(table)
        latency = 1000 * _latency_s(engines[1], path)
        middle, high = np.percentile(latency, [50, 95])
        console.print(
            "A frame of a camera from decoding to drawing (locate, network, actions): "
            f"{middle:.1f} ms (p50), {high:.1f} ms (p95)."
        )


def _full_hd_video(folder: Path) -> Path:
    write_ntu(folder, synthetic_samples([1], [23], [1], [1]), workers=1)
    return next(folder.rglob("*.avi"))


def _untrained(cfg: DictConfig, folder: Path) -> Path:
    """A file of the configured network with random weights."""
    network, path = instantiate(cfg.model), folder / "untrained.safetensors"
    sizes: dict[str, Any] = {"resolution": tuple(cfg.resolution), "clip_size": cfg.clip_size}
    save_weights(network, path, spec_of(network, name=path.stem, **sizes))
    return path


def _per_frame(work: Callable[[], int]) -> float:
    """The best of three runs, in seconds per frame; ``work`` returns how many there were."""
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        count = work()
        seconds.append((time.perf_counter() - began) / count)
    return min(seconds)


def _stages(predictor: Predictor, path: Path, folder: Path) -> dict[str, float]:
    """Each stage by itself, in seconds per frame."""
    engine = predictor.engine
    spec, size = engine.spec, engine.batch_size
    with closing(Video(path)) as video:
        frames = list(video.frames(limit=4 * size))
    shape = frames[0].image.shape[1::-1]
    boxes = np.repeat([_BOX], len(frames), axis=0)
    images = [frame.image for frame in frames]
    crops, _ = cut_crops(engine, images, boxes)
    features = engine.forward_frames(crops[: spec.clip_size]).features
    predictions = list(predictor.follow([frames], _given()))
    pictures = _drawn(engine, shape, predictions)

    def encode() -> int:
        with video_file(folder / "encoded.mp4", 30) as file:
            for number, picture in enumerate(pictures):
                file.write(picture, number / 30)
        return len(pictures)

    def classify() -> int:
        engine.classify_clips(features)
        return 1

    def count(items: Any) -> int:
        return len(items)

    stages: dict[str, Callable[[], int]] = {
        "decode": lambda: _decode(path),
        "locate, nobody known": lambda: count(locate_person(engine, images[:size]).boxes),
        "locate, person known": lambda: count(cut_crops(engine, images, boxes)[0]),
        "network": lambda: count(engine.forward_frames(crops).poses),
        "draw": lambda: count(_drawn(engine, shape, predictions)),
        "encode": encode,
    }
    if spec.labels:
        stages["actions, a clip"] = classify
    return {stage: _per_frame(work) for stage, work in stages.items()}


def _decode(path: Path) -> int:
    with closing(Video(path)) as video:
        return sum(1 for _ in video)


def _given() -> GivenBoxes:
    ends = np.array([0, np.iinfo(np.int64).max // 2])
    return GivenBoxes({0: ends}, {0: np.repeat([_BOX], 2, axis=0)})


def _drawn(
    engine: Engine, size: tuple[int, ...], predictions: list[FramePrediction]
) -> list[Image]:
    annotator = Annotator(
        engine.spec, (size[0], size[1]), None, longest_px=WIDEST_PX, skeleton_3d=False
    )
    return [annotator.draw(prediction) for prediction in predictions]


def _whole(predictor: Predictor, path: Path) -> dict[str, float]:
    """``har.predict`` with the person's box given, in seconds per frame."""

    def run(*, annotate: bool) -> int:
        with tempfile.TemporaryDirectory(prefix="har-") as out, closing(Video(path)) as video:
            boxes = Path(out) / "boxes.csv"
            x1, y1, x2, y2 = _BOX
            rows = [f"{frame},{x1},{y1},{x2},{y2}" for frame in (0, 10**6)]
            boxes.write_text("\n".join(["frame,x1,y1,x2,y2", *rows]))
            summary = predict_video(
                predictor, video, Path(out), BoxesFile(boxes), annotate=annotate
            )
        return int(summary["frames"])

    return {
        "together, no annotated video": _per_frame(lambda: run(annotate=False)),
        "together, annotated video": _per_frame(lambda: run(annotate=True)),
    }


def _latency_s(engine: Engine, path: Path) -> NDArray[np.float64]:
    """Seconds of every frame, one at a time in one thread, after the first few."""
    seconds = []
    with closing(Video(path)) as video:
        size = video.size
        annotator = Annotator(engine.spec, size, None, longest_px=WIDEST_PX, skeleton_3d=False)
        began = time.perf_counter()
        for prediction in Predictor(engine).follow(([frame] for frame in video), _given()):
            annotator.draw(prediction)
            now = time.perf_counter()
            seconds.append(now - began)
            began = now
    return np.array(seconds[5:])
