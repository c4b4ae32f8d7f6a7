"""Where a data set lies, and what to do when it is missing."""

from dataclasses import dataclass
from pathlib import Path

from har.errors import DatasetNotFoundError


@dataclass(frozen=True)
class DatasetFolder:
    """The folder of a data set.

    Attributes:
        name: of the folder, and of the task of ``har.prepare``.
        title: of the data set, for people.
        download: what to download, and from where.
        synthetic: arguments of ``har.prepare synthetic`` that write a drawn one.
    """

    name: str
    title: str
    download: str
    synthetic: str = ""

    def find(self, data_dir: Path) -> Path:
        """``data_dir/<name>`` if there is such a folder, else ``data_dir``."""
        return data_dir / self.name if (data_dir / self.name).is_dir() else data_dir

    def missing(self, folder: Path, what: str) -> DatasetNotFoundError:
        """The error for data that are not in a folder, with the commands that bring them."""
        base = folder.parent if folder.name == self.name else folder
        return DatasetNotFoundError(
            f"{self.title} is not ready: {what} in {folder.resolve()}. Download {self.download} "
            "into that folder, or write synthetic data with `python -m har.prepare synthetic "
            f"{self.synthetic}paths.data_dir={base}`; then run `python -m har.prepare {self.name} "
            f"paths.data_dir={base}`."
        )
