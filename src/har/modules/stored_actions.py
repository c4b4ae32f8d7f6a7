"""The action part of a network on stored features of clips: what a step computes and measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from pytorch_lightning.utilities.types import STEP_OUTPUT
from torch import Tensor, nn
from torch.nn import functional as F

from har.layouts import LayoutLike
from har.metrics.action import ActionMetrics
from har.metrics.clips import plain
from har.models.base import FrameFeatures, PoseNetwork
from har.modules.base import PhasedModule
from har.modules.schedule import Phase
from har.precision import exact_dtype


def blocks_of(features: Sequence[Tensor]) -> list[FrameFeatures]:
    """Features of clips by action block, from their arrays (N, T, J, dim), (N, T, J, C), ..."""
    pairs = zip(features[::2], features[1::2], strict=True)
    return [FrameFeatures(pose, visual) for pose, visual in pairs]


def clip_log_probabilities(
    network: PoseNetwork, features: Sequence[Tensor], num_clips: Tensor
) -> tuple[Tensor, Tensor]:
    """What a network makes of videos by all of their clips.

    Args:
        network: with actions, in ``eval`` mode.
        features: of the clips of N videos, end to end.
        num_clips: (N,) how many each has, at least one.

    Returns:
        Log probabilities (N, C) of the last block, by the mean over a video's clips; and those of
        the single clips.
    """
    logits = network.forward_clips(blocks_of(features))[-len(network.num_actions)]
    single = logits.to(exact_dtype(logits.device)).log_softmax(-1)
    parts = single.split(num_clips.tolist())
    return torch.stack([part.mean(0) for part in parts]).log_softmax(-1), single


class ActionScores(nn.Module):
    """Accuracies of videos, over processes; see :class:`har.metrics.ActionMetrics`."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.actions = ActionMetrics(num_classes)

    def update(self, scores: Tensor, action: Tensor) -> None:
        """Adds N videos: scores (N, C) and true classes (N,)."""
        self.actions.update(scores, action)

    def compute(self) -> dict[str, Any]:
        """Values in percent by the names of ``metrics.json``."""
        found = self.actions.compute()
        names = [name for name in ("top1", "top5", "mean_class", "per_class") if name in found]
        values = {f"action_{name}": plain(found[name]) for name in names}
        return {**values, "action_top1_by_block": [values["action_top1"]]}

    def confusion_matrix(self) -> np.ndarray:
        """Counts (true, predicted)."""
        return self.actions.compute()["confusion"].cpu().numpy()


class StoredActionsModule(PhasedModule):
    """Trains the action part of a network on what its frozen pose part gave, computed once.

    For the same crops a step is that of :class:`har.modules.MultitaskModule`'s frozen phase.

    Args:
        network, phases, layout: see :class:`har.modules.base.PhasedModule`; the phase is
            ``frozen``.
        label_smoothing: share of the target that is spread over all classes.
        batch_norm_momentum: see :class:`har.modules.base.PhasedModule`.
    """

    in_progress_bar = ("action_top1",)
    scores: Any

    def __init__(
        self,
        network: PoseNetwork | Mapping[str, Any],
        phases: Mapping[str, Phase | None] | None = None,
        layout: LayoutLike = "pa17j",
        label_smoothing: float = 0.1,
        batch_norm_momentum: float = 0.1,
    ) -> None:
        super().__init__(network, phases, layout, batch_norm_momentum)
        self.save_hyperparameters({"label_smoothing": label_smoothing}, logger=False)
        self.label_smoothing = label_smoothing

    def train(self, mode: bool = True) -> StoredActionsModule:
        """Training mode of the action part alone."""
        super().train(mode)
        for part in self.network.pose_modules():
            part.eval()
        return self

    def _learning(self) -> list[nn.Parameter]:
        return list(self.network.action_parameters())

    def training_step(self, batch: Mapping[str, Any], batch_idx: int) -> STEP_OUTPUT:
        """Sum of the cross-entropies of every action output.

        Args:
            batch: of :class:`har.data.feature_clips.FeatureClips`.
        """
        action = batch["action"]
        logits = self.network.forward_clips(blocks_of(batch["features"]))
        share = self.label_smoothing
        losses = [F.cross_entropy(v, action, label_smoothing=share) for v in logits]
        parts = torch.stack(losses)
        hits = 100 * (logits[-1].argmax(1) == action).float().mean()
        return self.logged("action", parts.sum(), parts, batch, action_top1=hits)

    def validation_step(self, batch: Mapping[str, Any], batch_idx: int) -> STEP_OUTPUT:
        means, _ = clip_log_probabilities(self.network, batch["features"], batch["num_clips"])
        self.scores.update(means, batch["action"])
        return None

    test_step = validation_step

    def _new_scores(self) -> Any:
        return ActionScores(len(self.label_names))
