"""What the LightningModules share: a network that learns in phases, and what every step logs."""

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn

from har.data.modules.base import TrainingDataModule
from har.errors import HarError
from har.layouts import LayoutLike, plain_layout
from har.metrics import ClipMetrics, PersonMetrics, scalars
from har.models.base import PoseNetwork
from har.models.registry import build_network
from har.modules.compiling import StepCompiler
from har.modules.schedule import Phase, Schedule
from har.modules.steps import pose_losses

log = logging.getLogger(__name__)

# Of a learning rate schedule's state: a run that is continued may be longer than it was.
_LENGTHS = ("total_steps", "_schedule_phases")


class MeasuringModule(LightningModule):
    """Base of what ``trainer.test`` runs, on any number of processes.

    Args:
        network: of :mod:`har.models`.
        layout: joint layout of its poses.

    Attributes:
        scores: metrics of the evaluation in progress, or of the last one.
        results: their values after the last test: plain numbers and lists of them.
    """

    scores: ClipMetrics | PersonMetrics

    def __init__(self, network: PoseNetwork, layout: LayoutLike) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.layout = layout
        self.results: dict[str, Any] = {}

    @property
    def data(self) -> TrainingDataModule:
        """The data module that the trainer was given."""
        return self.trainer.datamodule  # type: ignore[attr-defined]

    def _person_metrics(self) -> PersonMetrics:
        metric = self.data.person_metric
        assert metric is not None, "the data have no persons in images"
        return PersonMetrics(self.layout, self.network.num_pose_outputs, *metric)

    def _new_scores(self) -> ClipMetrics | PersonMetrics:
        """The metrics of an evaluation that begins."""
        return self._person_metrics()

    def _measured(self) -> dict[str, Any]:
        """The values of an evaluation that ends, over all processes."""
        return self.scores.compute()

    def on_test_epoch_start(self) -> None:
        self.scores = self._new_scores().to(self.device)

    def on_test_epoch_end(self) -> None:
        self.results = self._measured()
        for name, value in scalars(self.results).items():
            self.log(f"test/{name}", value, rank_zero_only=True)


class PhasedModule(MeasuringModule):
    """Base of the modules that train.

    ``load_from_checkpoint(path)`` builds the network from what the checkpoint states; give
    ``phases`` beside the path to train it further.

    Args:
        network: of :mod:`har.models`, or its class's name and arguments as a checkpoint holds them.
        phases: by name, see :class:`har.modules.schedule.Phase`; None for a module that is not
            trained.
        layout: the joint layout of the poses, its name or its attributes.
        batch_norm_momentum: share of a new batch in the running statistics (PyTorch's
            convention; Keras' momentum 0.99 is 0.01 here).

    Attributes:
        phase: name of the current phase.
        run_info: plain values that a checkpoint carries.
        step_compiler: computes the training steps, by compiled code where that pays.
    """

    in_progress_bar: ClassVar[tuple[str, ...]] = ("pckh", "pck")  # of the validation metrics

    def __init__(
        self,
        network: PoseNetwork | Mapping[str, Any],
        phases: Mapping[str, Phase | None] | None,
        layout: LayoutLike,
        batch_norm_momentum: float,
    ) -> None:
        if isinstance(network, Mapping):
            network = build_network(network["name"], network["arguments"])
        super().__init__(network, layout)
        for layer in network.modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                layer.momentum = batch_norm_momentum
        self._schedule = None if phases is None else Schedule(phases)
        self.phase = "" if self._schedule is None else self._schedule.name_at(0)
        self.run_info: dict[str, Any] = {}
        self.step_compiler = StepCompiler()
        self._unchecked: list[tuple[int, str, list[str], Tensor]] = []
        self._saved_steps: int | None = None
        arguments = {**network.arguments}
        arguments.pop("weights", None)  # that a backbone began with
        self.save_hyperparameters(  # plain values: torch.load opens nothing else
            {
                "network": {"name": type(network).__name__, "arguments": arguments},
                "layout": plain_layout(layout),
                "batch_norm_momentum": batch_norm_momentum,
            },
            logger=False,
        )

    @property
    def schedule(self) -> Schedule:
        """The phases in their order.

        Raises:
            HarError: the module was built without phases.
        """
        if self._schedule is None:
            raise HarError("This module has no training schedule: build it with phases=...")
        return self._schedule

    @property
    def label_names(self) -> Sequence[str]:
        """The classes' names, in the order of the network's outputs."""
        return self.data.labels

    def _learning(self) -> Iterable[nn.Parameter]:
        """The parameters that the current phase trains."""
        return list(self.network.parameters())

    def configure_optimizers(self) -> Any:
        return self.schedule.phases[self.phase].build(self._learning(), self._steps_in_phase())

    def _steps_in_phase(self) -> int:
        """Batches of the current phase, those that a resumed run has done as they were."""
        first = self.schedule.first_epoch(self.phase)
        return self.data.batches_in_epochs(
            range(first, first + self.schedule.phases[self.phase].epochs)
        )

    def on_train_start(self) -> None:
        self._say_new_length()
        self._begin_phase()

    def _begin_phase(self) -> None:
        """Prepares for the steps of the current phase."""
        trainer: Any = self.trainer  # its annotations lack what its connectors set
        accumulates = trainer.accumulate_grad_batches != 1
        left = self._updates_left()
        self.step_compiler.begin_phase(self.phase, self.device, left, accumulates=accumulates)

    def _updates_left(self) -> int:
        """About how many updates the current phase has to go."""
        trainer: Any = self.trainer
        epoch, schedule = self.current_epoch, self.schedule
        end = schedule.first_epoch(self.phase) + schedule.phases[self.phase].epochs
        longest = trainer.max_epochs
        if longest is not None and longest >= 0:
            end = longest if schedule.in_last_phase(epoch) else min(end, longest)
        updates = (end - epoch) * trainer.num_training_batches // trainer.accumulate_grad_batches
        limit = trainer.max_steps
        return int(updates if limit < 0 else min(updates, limit - self.global_step))

    def pose_step(self, batch: Mapping[str, Any]) -> Tensor:
        """Sum of the pose losses of every prediction block.

        Args:
            batch: with ``images`` uint8 (N, H, W, 3), ``gamma`` (N, 3), ``pose`` (N, J, dim + 1)
                and ``name``.
        """
        arguments = batch["images"], batch["gamma"], batch["pose"]
        found = self.step_compiler(pose_losses, self.network, *arguments)
        others = {} if found.extra is None else {"heat_map_loss": found.extra}
        return self.logged("pose", found.loss, found.parts, batch, **others)

    def logged(
        self,
        kind: str,
        loss: Tensor,
        parts: Tensor,
        batch: Mapping[str, Any],
        **others: Tensor,
    ) -> Tensor:
        """The loss, after it, its parts and other values were logged.

        Lightning's own way to the loggers would repeat the losses of an epoch's other kinds of
        batches, and come after the checkpoint of the step. The device is asked for values only in
        steps whose values are written.
        """
        trainer: Any = self.trainer  # its annotations lack what its connectors set
        step, size = self.global_step, len(batch["name"])
        # A copy: the next step of a CUDA graph writes to the same place.
        self._unchecked.append((step, self.phase, batch["name"], loss.detach().clone()))
        shown = {f"train/{kind}_loss": loss, **{f"train/{k}": v for k, v in others.items()}}
        shown = {name: value.detach() for name, value in shown.items()}
        # Not with prog_bar=True, for which Lightning reads every value in every step.
        self.log_dict(shown, logger=False, batch_size=size)
        if (step + 1) % trainer.log_every_n_steps == 0:
            of_blocks = [f"train/{kind}_loss/block_{i}" for i in range(1, len(parts) + 1)]
            values = torch.cat([torch.stack([*shown.values()]), parts.detach()]).tolist()
            numbers = dict(zip([*shown, *of_blocks], values, strict=True))
            numbers["train/learning_rate"] = float(trainer.optimizers[0].param_groups[0]["lr"])
            for logger in trainer.loggers:
                logger.log_metrics({**numbers, "epoch": self.current_epoch}, step)
        return loss

    def check_losses(self) -> None:
        """Checks the losses since the last call, in one copy from the device.

        Called every few steps and before a checkpoint is written, so that no step waits for the
        device and no checkpoint holds weights that are not numbers.

        Raises:
            HarError: one of them is not finite.
        """
        unchecked, self._unchecked = self._unchecked, []
        if not unchecked:
            return
        values = torch.stack([loss for *_, loss in unchecked]).tolist()
        for value, (step, phase, samples, _) in zip(values, unchecked, strict=True):
            if not math.isfinite(value):
                names = ", ".join(sorted(set(samples)))
                raise HarError(
                    f"The loss is {value} at step {step} (phase {phase}) on the samples {names}; "
                    "look at these samples, or lower the learning rate."
                )

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        trainer: Any = self.trainer  # its annotations lack what its connectors set
        if (batch_idx + 1) % trainer.log_every_n_steps == 0:
            self.check_losses()

    def on_train_epoch_end(self) -> None:
        self.check_losses()

    def on_validation_epoch_start(self) -> None:
        self.on_test_epoch_start()

    def on_validation_epoch_end(self) -> None:
        for name, value in scalars(self._measured()).items():
            # the same value in every process, each of which may choose by it
            self.log(f"val/{name}", value, prog_bar=name in self.in_progress_bar)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.check_losses()
        checkpoint["har"] = {**self.run_info, "phase": self.phase}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        saved = checkpoint.get("har", {}).get("phase")
        if self._schedule is not None and saved in self._schedule.phases:
            self.phase = saved
        for state in checkpoint.get("lr_schedulers", []):
            self._saved_steps = state.get("total_steps")
            for name in _LENGTHS:
                state.pop(name, None)

    def _say_new_length(self) -> None:
        """Logs that the learning rate follows another curve than in the run that goes on."""
        saved, self._saved_steps = self._saved_steps, None
        if saved is None:
            return
        now = self.schedule.phases[self.phase].total_steps(self._steps_in_phase())
        if now != saved:
            log.info(
                "The schedule of the learning rate was made for %d steps and is rebuilt for %d.",
                saved,
                now,
            )
