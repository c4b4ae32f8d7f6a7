"""The record of a network from what is stated about it; the rest is assumed, and named as such."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from har.data.ntu.labels import ACTION_NAMES
from har.layouts import LAYOUTS
from har.models.base import PoseNetwork
from har.models.spec import ModelSpec

_STORED_FRAMES_PER_SECOND = 15  # of NTU RGB+D as prepared for a run of 0.1.0 (stride 2)
_LAYOUTS = {16: "pa16j", 17: "pa17j", 20: "pa20j", 21: "pa21j", 25: "ntu25"}  # by joints
# Seconds between the frames of the published evaluation clips: every fourth of 15 stored frames a
# second for NTU RGB+D, every sixth of about 30 for Penn Action (TPAMI 2020).
NTU_PACE_S, PENN_PACE_S = 4 / 15, 6 / 30
RESOLUTION, DEPTH_RANGE_MM = (256, 256), 2000.0  # of all published networks; of those in 3-D


def spec_of(network: PoseNetwork, /, **stated: Any) -> ModelSpec:
    """The record of a network.

    What is not stated is as for the published networks, and named in ``assumed``.

    Args:
        network: of :mod:`har.models`.
        stated: values of :class:`ModelSpec`; None where a value is not known.
    """
    known = {key: value for key, value in stated.items() if value is not None}
    own_joints = {"layout": "own"} if known.get("joint_names") else {}
    layout = {**own_joints, **known}.get("layout") or _LAYOUTS.get(network.num_joints, "unnamed")
    fixed: dict[str, Any] = {"network": type(network).__name__, "arguments": network.arguments}
    fixed |= {"num_joints": network.num_joints, "dim": network.dim}
    default: dict[str, Any] = {"layout": layout, "resolution": RESOLUTION, "name": ""}
    if layout not in LAYOUTS:
        default["joint_names"] = tuple(f"joint {i + 1}" for i in range(network.num_joints))
    if network.dim == 3:
        default["depth_range_mm"] = DEPTH_RANGE_MM
    else:
        fixed["depth_range_mm"] = None
    if network.num_action_outputs:
        default |= {
            "labels": _labels(network.num_actions[0]),
            "clip_size": 8,
            "clip_seconds_between_frames": NTU_PACE_S if network.dim == 3 else PENN_PACE_S,
        }
        if len(known.get("labels", ())) != network.num_actions[0]:
            known.pop("labels", None)
        if network.clip_size is not None:
            known.setdefault("clip_size", network.clip_size)
    else:
        fixed |= {"labels": (), "clip_size": 1, "clip_seconds_between_frames": None}
    assumed = [key for key in default if key not in known and key not in ("name", *own_joints)]
    stated_as_assumed = [key for key in known.pop("assumed", ()) if key not in fixed]
    spec = {**default, **known, **fixed}
    width, height = spec["resolution"]
    spec |= {"resolution": (int(width), int(height)), "labels": tuple(spec["labels"])}
    return ModelSpec(**spec, assumed=tuple(dict.fromkeys([*stated_as_assumed, *assumed])))


def _labels(num_actions: int) -> tuple[str, ...]:
    """NTU's names where the number is that of NTU RGB+D (120), else numbers."""
    if num_actions in (60, len(ACTION_NAMES)):
        return tuple(ACTION_NAMES[:num_actions])
    return tuple(f"action {number}" for number in range(1, num_actions + 1))


def stated_by(spec: ModelSpec) -> dict[str, Any]:
    """The values of a record, for :func:`spec_of` of its network; empty texts are not stated."""
    values = {f.name: getattr(spec, f.name) for f in dataclasses.fields(spec)}
    return {key: value for key, value in values.items() if value not in ("", ())}


def stated_by_run(run: Mapping[str, Any]) -> dict[str, Any]:
    """What a run's checkpoint of 0.1.0 states, under ``"har"``: its data configuration.

    The pace counts stored frames; that there were 15 a second is assumed.
    """
    config = run.get("config") or {}
    data, module = config.get("data") or {}, config.get("module") or {}
    step = data.get("step")
    return {
        "layout": data.get("layout") or module.get("layout"),
        "resolution": data.get("resolution"),
        "labels": tuple(run.get("labels") or ()),
        "clip_size": data.get("clip_size"),
        "clip_seconds_between_frames": step / _STORED_FRAMES_PER_SECOND if step else None,
        "assumed": ("clip_seconds_between_frames",) if step else (),
    }
