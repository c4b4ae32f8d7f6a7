"""A contact sheet of drawn samples, as training sees them: mistakes of a reader are seen there."""

import logging
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import hydra
import numpy as np
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from har.errors import HarError
from har.files import Image
from har.runs.config import config_dir, instantiate
from har.visual.draw import write_image
from har.visual.sheets import pose_sheet, pose_tile, side_colors

log = logging.getLogger(__name__)

SHEET = "samples.png"
COUNT = 24


def write_samples(folder: Path, experiment: str, data_dir: Path, **changes: Any) -> None:
    """Writes ``samples.png``, 24 samples of an experiment's training data, and prints where.

    A preparation that has succeeded does not fail for a picture: what stands in the way is logged.

    Args:
        folder: of the picture.
        experiment: whose ``data`` is used.
        data_dir: of the data set.
        changes: of the keys of ``data``.
    """
    try:
        config = _compose(experiment).data
        known = {"data_dir": str(data_dir), "seed": 0, "val_persons": 0, **changes}
        config.update({key: value for key, value in known.items() if key in config})
        data = instantiate(config)
        data.setup("fit")
        write_image(folder / SHEET, sample_sheet(data.datasets["pose"]))
    except HarError as error:
        log.warning("No sheet of samples is drawn: %s", error)
    else:
        print(f"Look at samples as training sees them: {folder / SHEET}")


def _compose(experiment: str) -> DictConfig:
    """The configuration of an experiment, also within a command, which has started Hydra."""
    started = GlobalHydra.instance().is_initialized()
    context = (
        nullcontext()
        if started
        else hydra.initialize_config_dir(str(config_dir()), version_base="1.3")
    )
    with context:
        return hydra.compose("train", [f"experiment={experiment}"])


def sample_sheet(samples: Any) -> Image:
    """Samples of all persons, spread evenly, as a contact sheet.

    Args:
        samples: :class:`har.data.persons.PersonDataset` with its augmentation.
    """
    from har.data.sampling import seeded_rng

    tiles, captions = [], []
    numbers = np.linspace(0, len(samples) - 1, min(COUNT, len(samples))).round().astype(int)
    for draw, number in enumerate(numbers.tolist()):
        sample = samples["pose", number, draw]
        params = samples.augmentation.sample(seeded_rng(samples.seed, "pose", draw))
        pose = sample["pose"].numpy()
        places = np.where(pose[:, -1:] == 1, pose[:, :2], np.nan)
        seen = (sample["images"].numpy() / 255.0) ** sample["gamma"].numpy()
        image = (255 * seen).round().astype(np.uint8)
        tiles.append(pose_tile(image, samples.layout, places))
        words = ["mirrored"] * params.flip + [f"{params.angle_deg:+g} deg"] * bool(params.angle_deg)
        captions.append(f"{', '.join(words) or 'as it is'}\n{sample['name']}")
    colors = side_colors(samples.layout)
    title = "as training sees them; in mirrored ones left and right have changed places"
    return pose_sheet(tiles, colors, captions, title)
