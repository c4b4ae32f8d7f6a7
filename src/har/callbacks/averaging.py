"""A moving average of the weights, which follows quickly at first."""

from typing import Any

from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor


class EMA(WeightAveraging):
    """Lightning's weight averaging with an exponential average, after every update.

    Validation measures the average, checkpoints hold it (and the weights that training goes on
    with), and the end of training takes it. Its decay rises from 0.1 to ``decay``, as in
    TensorFlow's moving averages: else the random weights of the start would count for thousands of
    updates.

    Args:
        decay: share of the average that stays; the last 1 / (1 - decay) updates count.
        **options: see :class:`pytorch_lightning.callbacks.WeightAveraging`.
    """

    def __init__(self, decay: float = 0.999, **options: Any) -> None:
        def average(averaged: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
            share = min(decay, (1 + int(count)) / (10 + int(count)))
            if not averaged.is_floating_point():  # counters
                return current
            return averaged.lerp(current.to(averaged.dtype), 1 - share)

        super().__init__(avg_fn=average, use_buffers=True, **options)
