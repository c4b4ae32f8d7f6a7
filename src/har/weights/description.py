"""What a weight file says besides the weights: how its network wants to be used.

A network knows the number of its joints and actions, not their names, nor the size of the crops or
the pace of the clips that it was trained on. Checkpoints of a run hold the run's configuration;
safetensors of this package hold this description in their header.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

STORED_FRAMES_PER_SECOND = 15  # of prepared NTU RGB+D: every second frame of the videos


@dataclass(frozen=True)
class Description:
    """How a network wants to be used; every value may be unknown.

    Attributes:
        layout: joint layout of the poses.
        resolution: width and height of the crops in pixels.
        labels: names of the actions in the order of the network's first action output.
        clip_size: frames of a clip; 1 for single images.
        clip_seconds_between_frames: pace of a clip.
    """

    layout: str | None = None
    resolution: tuple[int, int] | None = None
    labels: tuple[str, ...] = ()
    clip_size: int | None = None
    clip_seconds_between_frames: float | None = None

    def to_json(self) -> str:
        """As the header of a weight file stores it."""
        return json.dumps(dataclasses.asdict(self))


def from_json(text: str) -> Description:
    """The description in a header; keys of other versions are left out.

    Raises:
        ValueError: the text is no such description.
    """
    stored = json.loads(text)
    names = {field.name for field in dataclasses.fields(Description)}
    return _described({name: value for name, value in stored.items() if name in names})


def from_run(har: Mapping[str, Any]) -> Description:
    """The description in a run's checkpoint, under ``"har"``: from its data configuration."""
    config = har.get("config") or {}
    data, module = config.get("data") or {}, config.get("module") or {}
    step = data.get("step")
    return _described(
        {
            "layout": data.get("layout") or module.get("layout"),
            "resolution": data.get("resolution"),
            "labels": har.get("labels") or (),
            "clip_size": data.get("clip_size"),
            "clip_seconds_between_frames": step / STORED_FRAMES_PER_SECOND if step else None,
        }
    )


def _described(values: Mapping[str, Any]) -> Description:
    """JSON and YAML know lists, no tuples."""
    known = dict(values)
    if known.get("resolution") is not None:
        width, height = known["resolution"]
        known["resolution"] = (int(width), int(height))
    known["labels"] = tuple(str(label) for label in known.get("labels") or ())
    return Description(**known)
