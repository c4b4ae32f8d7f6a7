"""Opening what is prepared: the index and the frames of a data folder."""

from pathlib import Path

from har.data.framestore.index import FrameIndex
from har.data.framestore.reader import FrameStore, HDF5Frames, JPEGFolders
from har.errors import DatasetNotFoundError, HarError


def find_prepared(data_dir: Path) -> Path | None:
    """The prepared folder of a data set, ``data_dir/prepared`` or ``data_dir/<any>/prepared``.

    Raises:
        HarError: several lie there.
    """
    if (data_dir / "prepared" / "index.h5").is_file():
        return data_dir / "prepared"
    found = sorted(path.parent for path in data_dir.glob("*/prepared/index.h5"))
    if len(found) > 1:
        folders = ", ".join(str(path.parent) for path in found)
        raise HarError(f"Prepared clips lie in {folders}: name one of them in paths.data_dir.")
    return found[0] if found else None


def open_prepared(data_dir: str | Path) -> tuple[FrameIndex, FrameStore]:
    """The index and the frames of a data folder; see :func:`find_prepared`.

    Raises:
        DatasetNotFoundError: it is not prepared.
        HarError: its index is damaged.
    """
    folder = find_prepared(Path(data_dir))
    if folder is None:
        raise DatasetNotFoundError(
            f"No prepared clips lie in {Path(data_dir).resolve()}: there is no prepared/index.h5. "
            "Copy a data set there (docs/data.md), or write synthetic data with "
            f"`python -m har.prepare synthetic paths.data_dir={data_dir}`; then run "
            f"`python -m har.prepare ntu paths.data_dir={data_dir}` (own clips: actions)."
        )
    index = FrameIndex.open(folder / "index.h5")
    if index.settings["store"] == "jpeg":
        images, digits = index.settings["images"], int(index.settings.get("image_digits", 5))
        prefixed = bool(index.settings.get("image_prefix", False))
        return index, JPEGFolders(folder / str(images), index.frame_numbers, digits, prefixed)
    return index, HDF5Frames(folder / "frames", index.group_of)
