"""A command that does next to nothing, for sweeps: what each job was given is in its folder."""

import json
import sys
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from har.cli import entry_point
from har.errors import HarError


def job(cfg: DictConfig) -> None:
    """Writes what it was given; fails for seed 2 in a sentence, and for seed 3 with a trace."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    told = {"words": sys.argv[1:], "ckpt_path": cfg.ckpt_path, "seed": cfg.seed}
    told["run_dir"] = str(HydraConfig.get().run.dir)
    (folder / "job.json").write_text(json.dumps(told))
    if cfg.seed == 2:
        raise HarError("Seed 2 is not wanted.")
    if cfg.seed == 3:
        raise ZeroDivisionError("in the middle")


main = entry_point("train", "tests.helpers.sweep:job", resume=True, name="training")

if __name__ == "__main__":
    main()
