"""``python -m har.sweep``: trials of a study one after the other, until there are enough."""

from importlib.util import find_spec
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from har.errors import HarError
from har.runs.config import run_folder


def sweep(cfg: DictConfig) -> None:
    """Trains with the values that the sampler suggests, prints all trials and the best command.

    Raises:
        HarError: Optuna is not installed, the space or the metric is not valid, there is no
            validation set, the study was begun with other settings, or trials fail.
    """
    if find_spec("optuna") is None:
        raise HarError(
            "A sweep needs Optuna: pip install 'optuna>=4.5' (or, in a checkout of har, "
            "pip install -e '.[sweep]')."
        )
    from har.sweep.study import Sweep
    from har.sweep.table import print_trials

    settings: Any = OmegaConf.to_container(cfg.sweep, resolve=True)
    made = Sweep(run_folder(), run_words(), settings)
    made.check(cfg)
    study = made.open()
    try:
        made.run(study)
    finally:
        print_trials(study, made.measure, made.words)


def run_words() -> list[str]:
    """Returns the words of the command line that every run shares.

    Raises:
        HarError: one of them would read the test split, or names a checkpoint.
    """
    words = [str(word) for word in HydraConfig.get().overrides.task]
    for word in words:
        key, _, value = word.lstrip("+").partition("=")
        if key in ("test", "report_untrained") and value.lower() != "false":
            raise HarError(
                f"{word}: a sweep never reads the test split; run the command that it prints at "
                "its end, which tests the best."
            )
        if key in ("ckpt_path", "optimized_metric"):
            raise HarError(f"{word}: leave {key} to the sweep, which has a folder for every run.")
    experiment = HydraConfig.get().runtime.choices.get("experiment")
    mine = "sweep.", "hparams_search=", "test=", "report_untrained=", f"name={experiment}"
    return [word for word in words if not word.lstrip("+~").startswith(mine)]
