"""``metrics.csv``, which a resumed run goes on writing."""

import csv
from pathlib import Path
from typing import Any

from pytorch_lightning import loggers
from pytorch_lightning.loggers.csv_logs import ExperimentWriter
from pytorch_lightning.loggers.logger import rank_zero_experiment

from har.files import whole_file


class _ContinuedWriter(ExperimentWriter):
    """Keeps the rows of the same run before it was killed; Lightning's own deletes them."""

    def _check_log_dir_exists(self) -> None:
        self._earlier: list[dict[str, str]] | None = None
        path = Path(self.metrics_file_path)
        if path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                self._earlier = list(csv.DictReader(file))
                file.seek(0)
                self.metrics_keys = next(csv.reader(file), [])

    def log_metrics(self, metrics_dict: dict[str, float], step: int | None = None) -> None:
        """Adds a row; the first one replaces what the killed run logged from its step on."""
        if self._earlier is not None:
            kept = [row for row in self._earlier if int(row["step"]) < (step or 0)]
            self._earlier = None
            path = Path(self.metrics_file_path)
            with whole_file(path) as new, new.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, fieldnames=self.metrics_keys)
                writer.writeheader()
                writer.writerows(kept)
        super().log_metrics(metrics_dict, step)


class CSVLogger(loggers.CSVLogger):
    """Lightning's CSV logger with one file per run.

    Args:
        save_dir: the run's folder; the file is ``<save_dir>/csv/metrics.csv``.
        **arguments: see :class:`pytorch_lightning.loggers.CSVLogger`.
    """

    def __init__(self, save_dir: str, **arguments: Any) -> None:
        super().__init__(save_dir, **{"name": "csv", "version": "", **arguments})

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The writer of the file."""
        if self._experiment is None:
            self._experiment = _ContinuedWriter(log_dir=self.log_dir)
        return self._experiment
