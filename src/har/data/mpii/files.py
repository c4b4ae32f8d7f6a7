"""Where MPII's files lie, and what to do when they are missing."""

from pathlib import Path

from har.data.dataset_folder import DatasetFolder

_FOLDER = DatasetFolder(
    "mpii",
    "MPII Human Pose",
    "images and annotations from http://human-pose.mpi-inf.mpg.de/, unpacked,",
    "dataset=mpii ",
)
find_dataset_root, missing_data = _FOLDER.find, _FOLDER.missing


def find_images(root: Path) -> Path:
    """The folder of the images: ``images``, in the data set's folder or in a folder of it.

    Raises:
        DatasetNotFoundError: there is none.
    """
    for folder in [root / "images", *sorted(root.glob("*/images"))]:
        if folder.is_dir():
            return folder
    raise missing_data(root, "there is no folder of images")
