"""The one record of a trained network: what it takes, and what its outputs mean."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from har.layouts import LAYOUTS, Layout
from har.models.registry import NETWORKS, network_class

NOBODY_BELOW, DOUBTFUL_BELOW = 0.2, 0.5
"""Mean confidences: of SPNet's maps, about 0.8 on a person, 0.3 beside one."""


@dataclass(frozen=True)
class ModelSpec:
    """Everything about a network besides its weights; every file of weights carries it.

    Attributes:
        layout: name of the joint layout of the poses, see :mod:`har.layouts`, or an own name.
        num_joints: joints of a pose.
        dim: 2 for x, y; 3 with depth.
        resolution: width and height of the crops in pixels.
        labels: names of the actions, in the order of the probabilities; () for poses only.
        clip_size: frames of a clip; 1 for a network of single images.
        clip_seconds_between_frames: pace of a clip; None without clips.
        depth_range_mm: z of 0 to 1 spans this depth, the root in the middle; None in 2-D.
        name: a published name or the name of a file.
        weights_sha256: checksum of the file that the weights were read from.
        confidence: meaning of a joint's last number. Always ``"probability"``: the share of the
            joint's softmax map in its best 2x2 cells, also where training uses another one.
        network: class in :mod:`har.models.registry`.
        arguments: plain values that build the network.
        joint_names: one per joint; those of the layout where it is one of :mod:`har.layouts`.
        joint_links: pairs of joint numbers between which a skeleton is drawn, likewise.
        data: what the network was trained on.
        license: what is known of the terms of the weights.
        published: metrics that the authors report for the weights, or for their network.
        metrics: own metrics by the names of ``metrics.json``.
        paper: where the network is described.
        nobody_below: mean confidence of the joints below which a crop shows nobody.
        doubtful_below: likewise, below which the person is looked for elsewhere as well.
        unknown_below: where the likeliest action is less probable, none is named; None: always one.
        assumed: names of the values above that the file of weights does not state.
    """

    layout: str
    num_joints: int
    dim: int
    resolution: tuple[int, int]
    labels: tuple[str, ...]
    clip_size: int
    clip_seconds_between_frames: float | None
    depth_range_mm: float | None
    name: str
    weights_sha256: str = ""
    confidence: str = "probability"
    network: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    joint_names: tuple[str, ...] = ()
    joint_links: tuple[tuple[int, int], ...] = ()
    data: str = ""
    license: str = ""
    published: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    paper: str = ""
    nobody_below: float = NOBODY_BELOW
    doubtful_below: float = DOUBTFUL_BELOW
    unknown_below: float | None = None
    assumed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.joint_names and self.layout in LAYOUTS:
            known = LAYOUTS[self.layout]
            object.__setattr__(self, "joint_names", known.joints)
            object.__setattr__(self, "joint_links", known.links)

    @property
    def joint_layout(self) -> Layout:
        """The joint layout: one of :mod:`har.layouts`, or made of the names and links here."""
        known = LAYOUTS.get(self.layout)
        if known is not None and known.joints == self.joint_names:
            return known
        return Layout(self.layout, self.joint_names, self.joint_links)

    @property
    def clip_span_s(self) -> float:
        """Seconds from the first to the last frame of a clip; 0 without clips."""
        return (self.clip_size - 1) * (self.clip_seconds_between_frames or 0.0)

    @property
    def features_in_image(self) -> bool:
        """See :class:`har.models.base.PoseNetwork`."""
        return self.network in NETWORKS and network_class(self.network).features_in_image

    @property
    def crop_span_s(self) -> float:
        """Seconds over which the crop of a followed person holds all of their places; 0 where crops
        of a clip may differ."""
        return 0.0 if self.features_in_image else self.clip_span_s

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON holds them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> ModelSpec:
        """The record of plain values; keys of later versions are left out.

        Raises:
            TypeError, ValueError: values are missing or of another kind.
        """
        known = {f.name: stored[f.name] for f in dataclasses.fields(cls) if f.name in stored}
        width, height = known["resolution"]
        known["resolution"] = (int(width), int(height))
        for name in ("labels", "joint_names", "assumed"):
            known[name] = tuple(str(value) for value in known.get(name) or ())
        known["joint_links"] = tuple((int(a), int(b)) for a, b in known.get("joint_links") or ())
        return cls(**known)
