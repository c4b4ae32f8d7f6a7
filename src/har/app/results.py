"""What the page shows of a file or a camera: pictures, the timeline, a 3-D view, an archive."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from har.files import Image
from har.models.spec import ModelSpec
from har.prediction.formats import write_formats
from har.prediction.results import Actions, PredictionCollector, top_actions
from har.prediction.writers import write_actions, write_json
from har.visual.timeline import Timeline
from har.visual.turning import turning_skeleton

TIMELINE_PX = 900
VIEW_PX = 480
_ARCHIVE = "results"


@dataclass
class Result:
    """The persons of a file or a camera, with the files about them.

    Attributes:
        spec: of the network.
        collected: what it has predicted.
        folder: of the files.
        text: sentences about the result.
        picture, video: the annotated image or video in the folder.
    """

    spec: ModelSpec
    collected: PredictionCollector
    folder: Path
    text: str = ""
    picture: Path | None = None
    video: Path | None = None
    tracks: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.poses, self.actions = self.collected.poses(), self.collected.actions()
        tracks, counts = np.unique(self.poses.track, return_counts=True)
        self.tracks = tracks[np.argsort(-counts, kind="stable")].tolist()

    @property
    def duration_s(self) -> float:
        """Seconds from the first to the last frame."""
        return self.collected.last_s

    def timeline(self, track: int, time_s: float) -> Image | None:
        """Draws the actions of a person over the whole time, uint8 RGB; None without actions."""
        rows = np.flatnonzero(self.actions.track == track)
        if not len(rows) or self.duration_s <= 0:
            return None
        strip = Timeline(
            TIMELINE_PX, self.spec.labels, self.duration_s, clip_s=self.spec.clip_span_s
        )
        for row in rows:
            strip.add(float(self.actions.time_s[row]), self.actions.probabilities[row])
        return strip.draw(time_s)

    def view_3d(self, track: int, time_s: float, angle_deg: float) -> Image | None:
        """Draws the pose of a person in space, at the frame nearest to a time.

        Args:
            track: of the person.
            time_s: seconds since the first frame.
            angle_deg: of the rotation about the vertical axis; 0 is the view of the camera.

        Returns:
            uint8 RGB; None of a 2-D network, or without such a person.
        """
        rows = np.flatnonzero(self.poses.track == track)
        if self.spec.dim != 3 or not len(rows):
            return None
        row = rows[np.argmin(np.abs(self.poses.time_s[rows] - time_s))]
        pose = self.poses.person(int(row))
        return turning_skeleton(
            pose.joints_px,
            pose.depth_mm,
            pose.box,
            self.spec.joint_layout,
            VIEW_PX,
            angle_deg,
            pose.confidence,
        )

    def write(self, formats: tuple[str, ...], source: str) -> None:
        """Writes what the prediction of files writes itself, of a camera's frames.

        Raises:
            HarError: a file cannot be written.
        """
        if self.spec.labels and "csv" in formats:
            write_actions(self.folder / "actions.csv", self.actions)
        write_formats(self.folder, formats, self.poses, self.collected.frames(), self.spec)
        summary: dict[str, Any] = {
            "source": source,
            "frames": self.collected.num_frames,
            "duration_s": round(self.duration_s, 3),
            "people": [
                {"track": track, "frames": int((self.poses.track == track).sum())}
                for track in self.tracks
            ],
        }
        write_json(self.folder / "summary.json", {**summary, "model": self.spec.to_dict()})

    def archive(self) -> Path:
        """Writes all files of the folder into one, ``results.zip`` beside the folder."""
        base = self.folder.parent / f"{self.folder.name}_{_ARCHIVE}"
        return Path(shutil.make_archive(str(base), "zip", self.folder))


def describe(actions: Actions, tracks: list[int]) -> str:
    """A sentence about the likeliest action of every person."""
    parts = []
    for track in tracks[:5]:
        rows = actions.probabilities[actions.track == track]
        if len(rows):
            (best,) = top_actions(rows.mean(0), actions.labels, 1)
            parts.append(f"person {track}: {best.label} {100 * best.probability:.0f} %")
    return f"Actions: {', '.join(parts)}." if parts else ""
