"""The formats of results, ``formats=`` of ``har.predict``: which there are, and their files."""

from collections.abc import Callable, Collection
from pathlib import Path

from har.errors import HarError
from har.layouts import Layout
from har.models.spec import ModelSpec
from har.prediction.coco_file import write_coco
from har.prediction.openpose import body_25_joints, write_openpose
from har.prediction.rerun_file import import_rerun
from har.prediction.results import Frames, Poses
from har.prediction.writers import write_pose_table, write_poses

_Writer = Callable[[Path, Poses, Frames, Layout], None]
_WRITERS: dict[str, _Writer] = {
    "npz": lambda path, poses, frames, _: write_poses(path, poses, frames.names),
    "csv": lambda path, poses, frames, _: write_pose_table(path, poses, frames.names),
    "coco": write_coco,
    "openpose": write_openpose,
}
FORMATS = (*_WRITERS, "rerun")
"""All formats; a recording of Rerun is written frame by frame, the others at the end."""

NAMES = {
    "npz": "poses.npz",
    "csv": "poses.csv",
    "coco": "poses_coco.json",
    "openpose": "openpose",
    "rerun": "poses.rrd",
}
"""Names of the files, and of OpenPose's folder, in the folder of results."""


def check_formats(formats: object) -> tuple[str, ...]:
    """Returns the formats that a configuration names, each once.

    Raises:
        HarError: one of them is not known, or its package is not installed.
    """
    known = ", ".join(FORMATS)
    if formats is None:
        return ()
    names = [formats] if isinstance(formats, str) else formats
    if not isinstance(names, Collection):
        raise HarError(f"formats={formats} is no list: choose of {known}.")
    for name in names:
        if name not in FORMATS:
            raise HarError(f"formats has {name!r}: choose of {known}.")
    if "rerun" in names:
        import_rerun()
    return tuple(dict.fromkeys(map(str, names)))


def check_layout(formats: Collection[str], layout: Layout) -> None:
    """Ends before anything is computed where a format cannot hold any joint of a layout.

    Raises:
        HarError: OpenPose has none of the joints.
    """
    if "openpose" in formats:
        body_25_joints(layout)


def write_formats(
    folder: Path, formats: Collection[str], poses: Poses, frames: Frames, spec: ModelSpec
) -> None:
    """Writes poses in some formats into a folder, under :data:`NAMES`; a recording of Rerun is left
    out, which is written frame by frame.

    Raises:
        HarError: a file cannot be written; the others are.
    """
    failed: HarError | None = None
    for format in formats:
        try:
            if format in _WRITERS:
                write_format(folder / NAMES[format], format, poses, frames, spec.joint_layout)
        except HarError as error:
            failed = failed or error
    if failed is not None:
        raise failed


def write_format(path: Path, format: str, poses: Poses, frames: Frames, layout: Layout) -> None:
    """Writes poses in one format.

    Args:
        path: of the file; of the folder for ``"openpose"``.
        format: one of :data:`FORMATS`, not ``"rerun"``.
        poses: of all frames.
        frames: of the video, or the images.
        layout: of the joints.

    Raises:
        HarError: the format does not fit the joints, or the file cannot be written.
    """
    _WRITERS[format](path, poses, frames, layout)
