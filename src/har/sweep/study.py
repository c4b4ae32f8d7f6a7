"""A study of Optuna in a database file, and the trials that are run for it."""

import gc
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytorch_lightning as pl
from omegaconf import DictConfig
from optuna.trial import TrialState

from har.data import PersonDataModule
from har.data.modules.base import TrainingDataModule
from har.data.modules.clips import ClipDataModule
from har.errors import HarError
from har.runs import building
from har.sweep.pruning import Measure, PhasePruner, Pruning, read_prune
from har.sweep.space import as_words, read_space
from har.sweep.trials import is_dead, run_config, run_trial, this_process

log = logging.getLogger(__name__)

DATABASE = "study.db"
_FAILURES = 3  # in a row: then the sweep itself is wrong
_ENDED = TrialState.COMPLETE, TrialState.PRUNED


class Sweep:
    """A study and its trials.

    Args:
        folder: of the database and of the folders of the runs.
        words: of the command line of har.train, which all runs share.
        settings: the node ``sweep`` of the configuration.

    Raises:
        HarError: the metric, the space or the pruning is not valid.
    """

    def __init__(self, folder: Path, words: Sequence[str], settings: Mapping[str, Any]) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.folder, self.words = folder, list(words)
        if not settings["metric"]:
            raise HarError("Give the validation metric to choose by, sweep.metric=val/...")
        self.measure = Measure(settings["metric"], settings["mode"])
        self.space = read_space(settings["space"])
        self.prune = read_prune(settings["prune"])
        self.trials = int(settings["trials"])
        self._settings = settings
        # what makes the values of two trials comparable
        same = {key: settings[key] for key in ("metric", "mode", "space")}
        self._made_from = json.dumps({"words": sorted(self.words), **same}, sort_keys=True)

    def check(self, cfg: DictConfig) -> None:
        """Makes sure that the runs can be compared without the test split.

        Raises:
            HarError: there are no validation samples, these are training or test samples, the
                runs have several processes each, or each of them tests by itself.
        """
        if cfg.get("own") is not None:
            raise HarError(
                "A run of own actions cross-validates and tests by itself, so a sweep would read "
                "the test split: it chooses what it needs on the training clips, without a sweep."
            )
        trainer = cfg.trainer
        if (
            trainer.devices not in (1, "1", "auto")
            or trainer.num_nodes != 1
            or "strategy" in trainer
        ):
            raise HarError(
                "A run of a sweep is one process: leave out trainer=ddp, and start the sweep "
                "several times to have several runs at once (docs/sweeps.md)."
            )
        with run_config([*self.words, *self._first_values()], self.folder) as run_cfg:
            check_validation(building.build_data(run_cfg, "fit"))

    def _first_values(self) -> list[str]:
        """Some values of the space, to build data with."""
        sampler = optuna.samplers.RandomSampler(seed=0)
        study = optuna.create_study(sampler=sampler)
        return as_words(study.ask(self.space).params)

    def run(self, study: optuna.Study) -> None:
        """Runs trials until there are enough, those first that were killed.

        Raises:
            HarError: trials fail one after the other.
        """
        failures = 0
        for trial in self._interrupted(study):
            self._run(study, trial)
        while sum(t.state in (*_ENDED, TrialState.RUNNING) for t in _all(study)) < self.trials:
            trial = study.ask(self.space)
            failures = 0 if self._run(study, trial) else failures + 1
            if failures == _FAILURES:
                raise HarError(
                    f"{_FAILURES} trials have failed one after the other, the last one: "
                    f"{_all(study)[trial.number].user_attrs['failed']}"
                )

    def open(self) -> optuna.Study:
        """Opens the study, a new one where there is none.

        Raises:
            HarError: it was begun with other settings.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        name = self.folder.name.removeprefix("sweep_")
        study = optuna.create_study(
            storage=f"sqlite:///{(self.folder / DATABASE).resolve()}",
            study_name=name,
            direction="maximize" if self.measure.mode == "max" else "minimize",
            pruner=PhasePruner(self._settings["prune_after"]),
            load_if_exists=True,
        )
        if study.user_attrs.setdefault("made_from", self._made_from) != self._made_from:
            raise HarError(
                f"The study {name} in {self.folder} was begun with other settings, "
                f"{study.user_attrs['made_from']}: repeat them, or give another name, "
                "sweep.study=<name>."
            )
        study.set_user_attr("made_from", self._made_from)
        study.sampler = optuna.samplers.TPESampler(
            # another seed for every call: the same one would suggest the first values again
            seed=int(self._settings["seed"]) + len(_all(study)),
            n_startup_trials=int(self._settings["startup_trials"]),
        )
        return study

    def _interrupted(self, study: optuna.Study) -> list[optuna.Trial]:
        """Trials whose process was killed; those without all of their values are given up."""
        found = []
        for frozen in _all(study):
            process = frozen.user_attrs.get("process")
            if frozen.state != TrialState.RUNNING or (process and not is_dead(process)):
                continue
            if set(frozen.params) == set(self.space):
                found.append(optuna.Trial(study, frozen._trial_id))
            else:
                study.tell(frozen.number, state=TrialState.FAIL)
        return found

    def _run(self, study: optuna.Study, trial: optuna.Trial) -> bool:
        """Runs a trial, anew or where it was killed; returns whether it did not fail."""
        trial.set_user_attr("process", this_process())
        words = [*self.words, *as_words(trial.params)]
        gc.collect()  # what the trial before held, on a GPU too
        log.info("Trial %d of %s: %s", trial.number, self.trials, " ".join(as_words(trial.params)))
        callbacks: list[pl.Callback] = [Pruning(trial, self.prune)] if self.prune else []
        folder = self.folder / str(trial.number)
        try:
            value = run_trial(words, folder, self.measure.metric, callbacks)
        except optuna.TrialPruned as pruned:
            log.info("Trial %d was %s.", trial.number, pruned)
            study.tell(trial, state=TrialState.PRUNED)
        except Exception as error:  # one trial's values, memory or disk: the others go on
            log.error("Trial %d has failed: %s", trial.number, error, exc_info=_mistake(error))
            trial.set_user_attr("failed", " ".join(str(error).split()) or repr(error))
            study.tell(trial, state=TrialState.FAIL)
            return False
        else:
            log.info("Trial %d: %s %.4g", trial.number, self.measure.metric, value)
            if np.isfinite(value):
                study.tell(trial, value)
            else:
                trial.set_user_attr("failed", f"{self.measure.metric} is {value}")
                study.tell(trial, state=TrialState.FAIL)
        return True


def check_validation(data: TrainingDataModule) -> None:
    """Makes sure that runs can be compared on samples that are neither of training nor of the test.

    Args:
        data: set up.

    Raises:
        HarError: there are none.
    """
    data.trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    loaders = data.val_dataloader()
    data.trainer = None
    if not loaders:
        raise HarError(
            "This data has no validation samples, and a sweep does not choose by the test split: "
            "keep a part of the training set out, with data.val_subjects or data.val_persons."
        )
    if isinstance(data, ClipDataModule) and data.validate_on_training:
        raise HarError(
            "data.validate_on_training=true validates on the training samples, by which a sweep "
            "cannot choose: keep a part of them out, with data.val_subjects."
        )
    if isinstance(data, PersonDataModule) and data.val_samples and data.test_samples:
        validation, test = (s.persons.rows["id"] for s in (data.val_samples, data.test_samples))
        if np.isin(validation, test).any():
            raise HarError(
                "The validation persons of this data are its test persons, by which a sweep does "
                "not choose: keep others for the test, for example with data.test_share=0.1."
            )


def _all(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    return study.get_trials(deepcopy=False)


def _mistake(error: Exception) -> bool:
    """Whether an error is one of the program, whose trace is logged."""
    return not isinstance(error, HarError)
