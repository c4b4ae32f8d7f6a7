"""The sheet of training samples: drawn as training draws them, sides of mirrored ones exchanged."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from har.data.augment import Augmentation
from har.data.persons import PersonDataset
from har.data.records import Person, PersonSet
from har.layouts import Layout
from har.prepare import samples
from har.prepare.mpii import prepare_mpii
from har.visual.draw import SIDE_COLORS
from tests.helpers.commands import call

HANDS = Layout("hands", ("left hand", "right hand"))
RED, GREEN = (255, 0, 0), (0, 255, 0)


def hands(folder: Path) -> PersonSet:
    """Pictures with the left hand in red and the right hand in green, at the height of x."""
    persons = []
    for number in range(30):
        picture = np.zeros((256, 256, 3), np.uint8)
        cv2.circle(picture, (180, 100), 20, RED, -1)
        cv2.circle(picture, (80, 140), 20, GREEN, -1)
        cv2.imwrite(str(folder / f"{number}.png"), picture[..., ::-1])
        joints = np.array([[180.5, 100.5], [80.5, 140.5]])
        persons.append(Person(f"person {number}", f"{number}.png", joints, (128, 128), 256))
    return PersonSet.of(persons, folder, HANDS)


def test_every_tile_has_the_colors_on_their_hands(tmp_path: Path) -> None:
    augmentation = Augmentation(angles_deg=[-30, 0, 30], scales=[1, 1.2], flip=True)
    drawn = PersonDataset(hands(tmp_path), resolution=(256, 256), augmentation=augmentation)
    sheet = samples.sample_sheet(drawn)
    height = (sheet.shape[0] - 42 - 6) // 4 - 6  # a tile with its caption; the legend has 42 px
    mirrored = 0
    for number in range(24):
        row, column = divmod(number, 6)
        y, x = 6 + row * (height + 6), 6 + column * (256 + 6)
        tile = sheet[y : y + 256, x : x + 256].astype(int)
        places = {}
        for side, ink in (("left", RED), ("right", GREEN)):
            # round the drawn joint there is the hand's own color; a mirrored left is a right hand
            found = np.argwhere((tile == SIDE_COLORS[side]).all(-1)).mean(0)
            hand = [np.argwhere((np.abs(tile - ink) < 60).all(-1)).mean(0) for ink in (RED, GREEN)]
            distances = [np.linalg.norm(found - place) for place in hand]
            places[side] = int(np.argmin(distances))
            assert min(distances) < 10
        assert places["left"] != places["right"]
        mirrored += places["left"]
    assert 4 < mirrored < 20


def test_the_command_writes_the_sheet(
    tiny_mpii: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mpii").mkdir()
    for name in ("images", "mpii_human_pose_v1_u12_1.mat"):
        for found in (tiny_mpii / "mpii").glob(name):
            (tmp_path / "mpii" / name).symlink_to(found)
    call("prepare", prepare_mpii, tmp_path / "run", ["workers=0", f"paths.data_dir='{tmp_path}'"])
    assert "samples.png" in capsys.readouterr().out
    picture = cv2.imread(str(tmp_path / "mpii" / "prepared" / "samples.png"))
    assert picture.shape[1] == 6 * (256 + 6) + 6


def test_a_preparation_does_not_fail_for_a_picture(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def write(cfg: object) -> None:
        samples.write_samples(tmp_path, "mpii_pose", tmp_path / "nothing")

    call("prepare", write, tmp_path / "run", [])
    assert "No sheet of samples is drawn" in caplog.text
    assert not (tmp_path / "samples.png").exists()
