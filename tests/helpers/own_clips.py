"""Folders of drawn clips, a folder per class, and what is prepared of them."""

from pathlib import Path

import cv2
import numpy as np

from har.data.framestore.folder import open_prepared
from har.data.own.prepare import OwnReport, prepare_own
from har.data.own.record import OwnActions

SIZE = (64, 36)


def write_clip(
    path: Path, num_frames: int = 12, fps: float = 30, size: tuple[int, int] = SIZE
) -> Path:
    """A video whose frame number is its gray level: 40 + 4 per frame; its left third is black."""
    path.parent.mkdir(parents=True, exist_ok=True)
    codec = cv2.VideoWriter.fourcc(*("XVID" if path.suffix == ".avi" else "mp4v"))
    writer = cv2.VideoWriter(str(path), codec, fps, size)
    assert writer.isOpened()
    for frame in range(num_frames):
        image = np.full((size[1], size[0], 3), 40 + 4 * frame % 200, np.uint8)
        image[:, : size[0] // 3] = 0
        writer.write(image)
    writer.release()
    return path


def prepare(root: Path, **options) -> OwnReport:
    return prepare_own(root, root / "prepared", **{"workers": 0, **options})


def frames_of(root: Path, file: str) -> list[np.ndarray]:
    """The stored frames of a clip, by the record."""
    record = OwnActions.read(root / "prepared")
    name = next(name for name, clip in record.clips.items() if clip.file == file)
    index, store = open_prepared(root)
    return store.read(name, range(int(index.num_frames[index.number_of(name)])))


def stored_content(root: Path) -> list:
    """What every sample holds, by the clip it comes from."""
    record, found = OwnActions.read(root / "prepared"), []
    index, store = open_prepared(root)
    for number, name in enumerate(index.names.tolist()):
        frames = store.read(name.decode(), range(int(index.num_frames[number])))
        clip = record.clips[name.decode()]
        split = record.splits.get(name.decode())
        found.append((clip, split, [int(frame.astype(int).sum()) for frame in frames]))
    return sorted(found, key=lambda item: item[0].file)
