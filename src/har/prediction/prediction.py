"""The prediction for an image or a video: poses, actions, figures, tables and files of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from har.errors import HarError
from har.files import Image
from har.models.spec import ModelSpec
from har.prediction.formats import FORMATS, write_format
from har.prediction.rerun_file import RerunFile, rerun_file
from har.prediction.results import Actions, Frames, Poses, person_dict, top_actions
from har.prediction.writers import write_actions, write_json
from har.visual.draw import contact_sheet, draw_skeleton, probability_bars

if TYPE_CHECKING:
    from pandas import DataFrame

_DECIMALS = 4
_BY_ENDING = {".npz": "npz", ".csv": "csv", ".json": "json", ".rrd": "rerun"}


@dataclass(frozen=True)
class Prediction:
    """What :class:`har.Predictor` returns.

    Attributes:
        poses: of every person in every frame.
        actions: of the clips; no rows for an image, or a network without actions.
        spec: of the network.
        images: some of the frames by number, which :meth:`plot` shows.
        frames: all that were predicted.
    """

    poses: Poses
    actions: Actions
    spec: ModelSpec
    images: dict[int, Image]
    frames: Frames

    def plot(self) -> Image:
        """Draws skeletons on the image, or on some frames of a video, and the likeliest actions.

        Returns:
            uint8 RGB (H, W, 3).
        """
        drawn = []
        for number, image in sorted(self.images.items()):
            for row in np.flatnonzero(self.poses.frame == number):
                joints, confidence = self.poses.joints_px[row], self.poses.confidence[row]
                image = draw_skeleton(image, joints, self.spec.joint_layout, confidence)
            drawn.append(image)
        if len(drawn) == 1:
            picture = drawn[0]
        else:
            times = dict(zip(self.poses.frame.tolist(), self.poses.time_s.tolist(), strict=True))
            shown = sorted(self.images)
            captions = [f"{times[n]:.1f} s" if n in times else f"frame {n}" for n in shown]
            picture = contact_sheet(drawn, 4, captions)
        if len(self.actions):
            mean = self.actions.probabilities.mean(0)
            bars = probability_bars(picture.shape[1], self.spec.labels, mean)
            picture = np.vstack([picture, bars])
        return picture

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON; unknown values are None."""
        return {
            "joint_names": list(self.poses.joint_names),
            "poses": [
                {
                    "frame": int(self.poses.frame[row]),
                    "time_s": round(float(self.poses.time_s[row]), _DECIMALS),
                    **person_dict(self.poses, row),
                }
                for row in range(len(self.poses))
            ],
            "actions": [
                {
                    "time_s": round(float(self.actions.time_s[row]), _DECIMALS),
                    "track": int(self.actions.track[row]),
                    "top": [
                        a._asdict()
                        for a in top_actions(
                            values,
                            self.actions.labels,
                            unknown_below=self.actions.unknown_below,
                        )
                    ],
                }
                for row, values in enumerate(self.actions.probabilities)
            ],
            "model": self.spec.to_dict(),
        }

    def to_pandas(self, what: str = "poses") -> DataFrame:
        """Returns a long table; pandas has to be installed.

        Args:
            what: ``"poses"``: a row for every joint of every person in every frame, the columns of
                ``poses.csv``; ``"actions"``: a row for every clip and action, with ``time_s``,
                ``track``, ``action`` and ``probability``.

        Raises:
            HarError: pandas is not installed, or there is no such table.
        """
        if what not in ("poses", "actions"):
            raise HarError(f"There is no table {what!r}: to_pandas takes poses or actions.")
        try:
            import pandas
        except ImportError as error:
            raise HarError("to_pandas() needs pandas: pip install pandas.") from error
        table = self.poses if what == "poses" else self.actions
        return pandas.DataFrame(table.columns())

    def save(self, path: str | Path, format: str | None = None) -> Path:
        """Writes the result to a file that other programs read.

        Args:
            path: of the file; of a folder for ``"openpose"``.
            format: ``"npz"``; ``"csv"``, the poses as a long table; ``"actions"``, the actions as
                CSV; ``"json"``, :meth:`to_dict`; ``"coco"``; ``"openpose"``, a file per frame; or
                ``"rerun"``, with the images of :attr:`images`. None: by the ending, which is .npz,
                .csv, .json or .rrd.

        Returns:
            The path.

        Raises:
            HarError: the format is not known, its package is not installed, or the file cannot be
                written.
        """
        path = Path(path)
        if format is None:
            format = _BY_ENDING.get(path.suffix.lower())
        if format == "json":
            write_json(path, self.to_dict())
        elif format == "actions":
            write_actions(path, self.actions)
        elif format == "rerun":
            with rerun_file(path, self.spec) as file:
                self._write_rerun(file)
        elif format in FORMATS:
            write_format(path, format, self.poses, self.frames, self.spec.joint_layout)
        else:
            known = ", ".join((*FORMATS, "json", "actions"))
            raise HarError(f"{path} has no known format ({format}): choose one of {known}.")
        return path

    def _write_rerun(self, file: RerunFile) -> None:
        begins = np.searchsorted(self.actions.time_s, self.frames.time_s, side="left").tolist()
        ends = np.searchsorted(self.actions.time_s, self.frames.time_s, side="right").tolist()
        for place, rows in enumerate(self.poses.rows_of(self.frames.number)):
            number = int(self.frames.number[place])
            width, height = self.frames.size[place].tolist()
            file.add(
                number,
                float(self.frames.time_s[place]),
                (width, height),
                [self.poses.person(row) for row in rows],
                {
                    int(self.actions.track[row]): self.actions.probabilities[row]
                    for row in range(begins[place], ends[place])
                },
                image=self.images.get(number),
            )
