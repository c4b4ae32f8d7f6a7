"""``python -m har.predict``: poses and actions of any source as files, and a table."""

import datetime
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console
from rich.markup import escape
from rich.table import Column

from har.errors import HarError
from har.paths import is_folder
from har.prediction.boxes_file import Boxes, BoxesFile
from har.prediction.formats import check_formats, check_layout
from har.prediction.images import predict_images
from har.prediction.predictor import Predictor
from har.prediction.sources import (
    camera_number,
    describe_left_out,
    find_files,
    is_image,
    read_pipe,
    result_names,
)
from har.prediction.videos import predict_video
from har.video import Video
from har.visual.terminal import make_table

_MOST_ROWS = 20  # of a table


def predict(cfg: DictConfig) -> None:
    """Predicts all images and videos of the source, writes the results and prints a table.

    Raises:
        HarError: no source or weights, a source without anything that can be read, or results that
            cannot be written.
    """
    if cfg.source is None or not str(cfg.source):
        raise HarError(
            "Give a source: source=<image, folder, pattern, video, camera number or ->; "
            "weights=<name or file> chooses another network."
        )
    if cfg.finder not in ("pose", "detector"):
        raise HarError(f"finder={cfg.finder}: choose pose or detector, or give boxes=<file>.")
    formats = check_formats(cfg.formats)
    with ExitStack() as stack:
        # missing files and cameras are reported before torch is imported, which takes seconds
        images, videos = _find(str(cfg.source), stack)
        files = [video for video in videos if isinstance(video, Path)]
        given = None
        if cfg.boxes is not None:
            stems = {file.stem for file in files}
            given = BoxesFile(cfg.boxes, min_score=cfg.boxes_min_score, videos=stems)
        if given is not None:
            given.check_sources(images, files or [Path("camera")] * len(videos))
        names = result_names([*images, *files])
        out = _make_folder(cfg, names)
        boxes: Boxes = given
        if given is None and cfg.finder == "detector":
            from har.prediction.detector import PersonDetector
            from har.runtime.loading import choose_device

            boxes = PersonDetector(cfg.detector_weights, choose_device(cfg.device))
        predictor = _predictor(cfg, None if videos else len(images) * (2 + cfg.refine))
        check_layout(formats, predictor.engine.spec.joint_layout)
        console = Console()
        rows: list[dict[str, Any]] = []
        if images:
            rows = predict_images(predictor, images, out, boxes, names, formats, alone=not videos)
            _print_images(console, rows)
        if videos:
            more = _predict_videos(cfg, predictor, videos, out, boxes, names, alone=not images)
            _print_videos(console, more)
            rows = [*rows, *more]
        for remark in [] if given is None else given.remarks:
            print(remark)
        if all("failed" in row for row in rows):
            what = f"None of the {len(rows)} images and videos can be read"
            raise HarError(f"{what}: {rows[0]['failed']}")
        print(f"Results: {out}")


def _find(source: str, stack: ExitStack) -> tuple[list[Path], list[Path | Video]]:
    """Returns the images and videos of a source; a camera is opened at once."""
    camera = camera_number(source)
    if camera is not None:
        return [], [stack.enter_context(closing(Video(camera)))]
    if source == "-":
        path = read_pipe(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        return ([path], []) if is_image(path) else ([], [path])
    found = find_files(source)
    if left_out := describe_left_out(found, source):
        print(left_out)
    return found.images, list(found.videos)


def _make_folder(cfg: DictConfig, names: Mapping[Path, str]) -> Path:
    """Makes the folder of the results, which is never one that is read from."""
    now = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    out = Path(cfg.out) if cfg.out is not None else Path(cfg.paths.output_dir) / cfg.name / now
    folders = {out.resolve(), *((out / name).resolve() for name in names.values())}
    read = [*names]
    if cfg.boxes is not None:
        boxes = Path(cfg.boxes)
        read += [boxes / "*.txt", boxes / "labels" / "*.txt"] if is_folder(boxes) else [boxes]
    for file in read:
        if {file.parent.resolve(), file.resolve().parent} & folders:  # a link, and what it names
            raise HarError(
                f"out={out} is where the source {file} is: choose another folder for the results."
            )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HarError(f"The folder {out} cannot be made: {error.strerror}.") from error
    return out


def _predictor(cfg: DictConfig, num_frames: int | None) -> Predictor:
    from har.runtime.loading import load_engine
    from har.weights.built_in import DEFAULT

    keys = ("device", "fast", "runtime", "stop_after", "batch_size")
    if cfg.weights is None:
        print(f"No weights are given: {DEFAULT}, which follows one person.")
    engine = load_engine(
        cfg.weights or DEFAULT, num_frames=num_frames, **{key: cfg[key] for key in keys}
    )
    options = {key: cfg[key] for key in ("refine", "action_every_s", "smooth")}
    return Predictor(engine, **options)


def _predict_videos(
    cfg: DictConfig,
    predictor: Predictor,
    videos: list[Path | Video],
    out: Path,
    boxes: Boxes,
    names: Mapping[Path, str],
    alone: bool,
) -> list[dict[str, Any]]:
    """Predicts every video into a folder of its own, a single one directly into ``out``.

    A video that cannot be read or predicted is reported and skipped.

    Raises:
        HarError: ``alone``, without images, and none of the videos can be read.
    """
    rows: list[dict[str, Any]] = []
    options = {key: cfg[key] for key in ("video_size", "skeleton_3d", "show", "max_frames")}
    options |= {"annotate": cfg.video, "formats": check_formats(cfg.formats)}
    for source in videos:
        name = "camera" if isinstance(source, Video) else names[source]
        folder = out if alone and len(videos) == 1 else out / name
        try:
            with closing(source if isinstance(source, Video) else Video(source)) as video:
                rows.append(predict_video(predictor, video, folder, boxes, **options))
        except KeyboardInterrupt:  # before the first frame
            rows.append({"source": str(source), "failed": "It was interrupted.", "stopped": True})
        except Exception as error:  # whatever is wrong with one video must not stop the others
            if alone and len(videos) == 1:
                raise
            what = error if isinstance(error, HarError) else f"{source} fails: {error!r}"
            rows.append({"source": str(source), "failed": str(what)})
        if rows[-1].get("stopped"):
            break
    if alone and all("failed" in row for row in rows):
        raise HarError(f"None of the {len(rows)} videos can be read: {rows[0]['failed']}")
    return rows


def _print_images(console: Console, rows: list[dict[str, Any]]) -> None:
    column = Column("image", overflow="fold")
    table = make_table("Poses in images", [column], ["persons", "confidence"])
    for row in rows[:_MOST_ROWS]:
        name = escape(_printable(Path(row["image"]).name))
        if "failed" in row:
            table.add_row(name, "[red]broken[/red]", "")
        else:
            mean = row["confidence"]
            table.add_row(name, str(row["persons"]), "" if mean is None else f"{mean:.2f}")
    console.print(table)
    if len(rows) > _MOST_ROWS:
        print(f"... and {len(rows) - _MOST_ROWS} more, see summary.json.")
    for row in rows:
        if note := row.get("failed") or row.get("note"):
            print(_printable(note))
    if outside := [row for row in rows if row.get("boxes_outside")]:
        count = sum(row["boxes_outside"] for row in outside)
        print(f"{count} boxes lie outside their images ({outside[0]['image']}, for example).")


def _print_videos(console: Console, rows: list[dict[str, Any]]) -> None:
    column, numbers = Column("video", overflow="fold"), ["frames", "frames/s", "person"]
    table = make_table("Poses and actions in videos", [column], numbers)
    table.add_column("action", overflow="fold")
    for row in rows:
        name = escape(_printable(Path(row["source"]).name))
        if "failed" in row:
            table.add_row(name, "", "", "", "[red]broken[/red]")
            continue
        people = row["people"] or [{"track": "none detected", "actions": []}]
        for number, person in enumerate(people[:5]):
            values = (name, str(row["frames"]), f"{row['frames_per_s']:.0f}")
            top = person["actions"][:1]
            best = [escape(f"{a['label']} {100 * a['probability']:.0f}%") for a in top]
            begin = values if number == 0 else ("", "", "")
            table.add_row(*begin, str(person["track"]), *(best or [""]))
    console.print(table)
    for row in rows:
        for note in (row.get("failed") or row.get("note"), *row.get("remarks", [])):
            if note:
                print(_printable(note))


def _printable(text: str) -> str:
    """A text without what would move the cursor, color the terminal or break a line."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
