"""Results of an earlier run in a folder, which must not stand beside those of another source."""

import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from har.errors import HarError
from har.prediction.formats import NAMES

_FILES = ("annotated.mp4", "actions.csv", *NAMES.values(), "summary.json")


def remove_earlier(folder: Path, sources: Collection[str]) -> None:
    """Removes the results of other sources from a folder, before those of these are written: files
    of our names beside a ``summary.json`` of ours, and nothing else. A picture of a single image
    stays, which is called after it.

    Args:
        folder: of the results.
        sources: the video, or all images.

    Raises:
        HarError: a file cannot be removed.
    """
    earlier = _sources(folder / "summary.json")
    if not earlier or _resolved(earlier) == _resolved(sources):
        return
    stale = [folder / name for name in _FILES]
    for name in earlier:  # of OpenPose's format, a file for every frame of a video
        frame = re.compile(re.escape(Path(name).stem) + r"_\d{12}_keypoints\.json")
        stale += [p for p in (folder / NAMES["openpose"]).glob("*") if frame.fullmatch(p.name)]
    for path in stale:
        try:
            if path.is_file():
                path.unlink()
        except OSError as error:
            raise HarError(
                f"{path} is of {min(earlier)} and cannot be removed ({error.strerror}): choose "
                "another folder for the results."
            ) from error


def _sources(summary: Path) -> set[str]:
    """The sources that a summary of ours is about; empty: there is none."""
    try:
        content: Any = json.loads(summary.read_text(encoding="utf-8"))
        if "model" not in content:
            return set()
        rows = content["images"] if "images" in content else [{"image": content["source"]}]
        return {str(row["image"]) for row in rows}
    except (OSError, ValueError, TypeError, KeyError):
        return set()


def _resolved(sources: Collection[str]) -> set[Path]:
    return {Path(source).resolve() for source in sources}
