"""Data of full size for benchmarks: synthetic full-HD videos, prepared as users prepare theirs."""

from __future__ import annotations

from pathlib import Path

from har.data.augment import CropMargin
from har.data.ntu.prepare import prepare_ntu
from har.synthetic.ntu import synthetic_samples, write_ntu
from har.visual.terminal import progress_bar

ACTIONS = [1, 38]  # of the arms, standing
_SUBJECTS = [1, 2, 4, 5, 8, 9]  # training subjects of X-Sub
_DISTANCE_M = 5.0  # clips reach 41 % of the frame then, as in a real recording of one person


def make_frames(folder: Path, workers: int) -> dict[str, Path]:
    """Writes twelve videos of 1920x1080 and prepares them as whole frames of half size and regions.

    Existing files are kept.

    Args:
        folder: of all these files.
        workers: processes.

    Returns:
        Data folders by the kind of stored frames, ``full`` and ``track``.
    """
    videos = folder / "videos"
    samples = synthetic_samples(_SUBJECTS, ACTIONS, [1, 2, 3], [1], cameras_per_sample=1)
    with progress_bar("synthetic full-HD videos") as progress:
        write_ntu(videos, samples, workers=workers, progress=progress, distance_m=_DISTANCE_M)
    stores = {"full": None, "track": CropMargin()}
    for kind, margin in stores.items():
        with progress_bar(f"frames, {kind}") as progress:
            prepare_ntu(
                videos,
                videos,
                folder / kind / "prepared",
                margin=margin,
                workers=workers,
                progress=progress,
            )
    return {kind: folder / kind for kind in stores}
