"""Synthetic MPII: the picture shows what is annotated, with left and right as in NTU's."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from har.data.mpii.official import read_official
from har.data.mpii.persons import Split
from har.data.mpii.split import tompson_validation
from har.errors import HarError
from har.layouts import get_layout
from har.synthetic import mpii as mpii_module
from har.synthetic.anatomy import draw_body
from har.synthetic.mpii import Scene, any_pose, body_joints_3d, draw, simulate
from har.synthetic.mpii_files import OFFICIAL_NAME, write_mpii
from har.synthetic.mpii_labels import simulate_image
from har.synthetic.render import Camera, project

BONES = [(4, 5), (5, 6), (8, 9), (9, 10), (12, 13), (13, 14), (16, 17), (17, 18), (0, 20)]


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    """What several tests look at."""
    return [simulate(number) for number in range(1, 121)]


def test_bodies_keep_their_bones_in_any_pose() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        body = draw_body(rng)
        joints = any_pose(body, rng)
        assert np.isfinite(joints).all()
        lengths = np.array([np.linalg.norm(joints[a] - joints[b]) for a, b in BONES])
        arm, leg = [body.upper_arm, body.forearm], [body.thigh, body.shank]
        np.testing.assert_allclose(lengths, [*arm, *arm, *leg, *leg, body.spine], rtol=0.02)


def test_poses_are_varied() -> None:
    rng = np.random.default_rng(1)
    poses = np.array([any_pose(draw_body(rng), rng) for _ in range(300)])
    hands = poses[:, [6, 10]] - poses[:, [20, 20]]
    assert (hands.std((0, 1)) > 0.15).all()  # meters, in every direction
    assert poses[:, 0, 1].std() > 0.1  # crouching and standing


def test_left_and_right_agree_with_ntu() -> None:
    """The same bodies in the same picture: what one layout calls right, the other does too."""
    layout = get_layout("pa16j")
    rng = np.random.default_rng(2)
    size = (640, 360)
    for _ in range(20):
        body = draw_body(rng)
        camera = Camera(float(rng.uniform(-3, 3)), 3.0, 1.2)
        joints = camera.see(any_pose(body, rng))
        ntu = project(joints, size)[list(layout.from_ntu)]  # a mirrored picture, as NTU's video
        photo = project(body_joints_3d(joints, body), size)
        photo[:, 0] = size[0] - photo[:, 0]  # the photograph is not mirrored
        mpii = photo[list(layout.order_from(get_layout("mpii")))]
        mirrored = mpii[list(layout.flip)]
        mirrored[:, 0] = size[0] - mirrored[:, 0]
        others = [n for n, joint in enumerate(layout.joints) if joint != "head"]
        np.testing.assert_allclose(mirrored[others], ntu[others])
        # MPII's head is the top of it, NTU's the middle
        head, neck = layout.joints.index("head"), layout.joints.index("neck")
        margin = np.linalg.norm(mirrored[head] - mirrored[neck])
        assert margin > 1.3 * np.linalg.norm(ntu[head] - ntu[neck])


def test_who_faces_the_camera_has_the_right_arm_on_the_left(scenes: list[Scene]) -> None:
    people = [person for scene in scenes for person in scene.people]
    right_arm_left = [person.joints_px[12, 0] < person.joints_px[13, 0] for person in people]
    assert 0.7 < np.mean(right_arm_left) < 0.99  # most of the people roughly face the camera
    rng = np.random.default_rng(0)
    camera = Camera(0.0, 3.0, 1.2)
    body = draw_body(rng)
    joints = camera.see(any_pose(body, rng))  # not turned: faces the camera
    photo = -project(body_joints_3d(joints, body))[:, 0]
    assert photo[12] < photo[13]
    assert photo[2] < photo[3]


def test_joints_lie_on_the_people(scenes: list[Scene], monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture with and one without its people differ where visible joints are."""
    monkeypatch.setattr(mpii_module, "_photograph", lambda image, rng: np.ascontiguousarray(image))
    on_people, beside = [], []
    for scene in scenes[:24]:
        empty = replace(scene, bodies=[], joints=[], people=[])
        changed = (draw(scene) != draw(empty)).any(-1)
        for person in scene.people:
            seen = person.visible & person.inside
            x, y = person.joints_px[seen].astype(int).T
            on_people.extend(changed[y, x])
            beside.extend(changed[y, changed.shape[1] - 1 - x])
    assert np.mean(on_people) > 0.98
    assert np.mean(beside) < 0.7


def test_hidden_joints_are_behind_a_person(scenes: list[Scene]) -> None:
    hidden = [~person.visible for scene in scenes for person in scene.people]
    assert 0.005 < np.mean(hidden) < 0.2
    alone = [s.people[0] for s in scenes if len(s.people) == 1 and s.box is None]
    assert len(alone) > 40
    assert all(person.visible.all() for person in alone)


def test_people_are_varied(scenes: list[Scene]) -> None:
    counts = np.bincount([len(scene.people) for scene in scenes], minlength=4)
    assert (counts[1:4] > 8).all()
    heights = [person.height_px for scene in scenes for person in scene.people if person.labeled]
    assert np.percentile(heights, 95) > 1.7 * np.percentile(heights, 5)
    cut_off = [not p.inside.all() for scene in scenes for p in scene.people if p.labeled]
    assert 0.05 < np.mean(cut_off) < 0.5
    assert len({scene.size for scene in scenes}) > 30


def test_the_same_number_is_always_the_same() -> None:
    one, two = simulate(5), simulate(5)
    np.testing.assert_array_equal(draw(one), draw(two))
    np.testing.assert_array_equal(one.people[0].joints_px, two.people[0].joints_px)
    assert draw(simulate(6)).tobytes() != draw(one).tobytes()
    assert draw(simulate(5, seed=1)).tobytes() != draw(one).tobytes()


def test_validation_persons_have_the_official_numbers() -> None:
    rows = tompson_validation()
    for number in np.unique(rows[rows[:, 0] < 120, 0]).tolist():
        wanted = tuple(rows[rows[:, 0] == number, 1].tolist())
        _, image = simulate_image(number, validation=wanted)
        assert image.train
        for person in wanted:
            assert image.persons[person - 1].labeled


def test_writing_goes_on_where_it_stopped(tiny_mpii: Path, tmp_path: Path) -> None:
    report = write_mpii(tmp_path, images=12, workers=0)
    assert (report.written, report.skipped) == (12, 0)
    kept = tmp_path / "images" / "000000003.jpg"
    before = kept.stat().st_mtime_ns
    for name in ("000000005.jpg", "000000007.jpg"):
        (tmp_path / "images" / name).unlink()
    first = (tmp_path / "annot" / "train.json").read_text()
    report = write_mpii(tmp_path, images=12, workers=1)
    assert (report.written, report.skipped) == (2, 10)
    assert kept.stat().st_mtime_ns == before
    assert (tmp_path / "annot" / "train.json").read_text() == first
    for path in (tmp_path / "images").iterdir():  # the same as in a larger set
        assert path.read_bytes() == (tiny_mpii / "mpii" / "images" / path.name).read_bytes()
    assert not list(tmp_path.rglob(".*partial*"))
    with pytest.raises(HarError, match="remove that folder"):
        write_mpii(tmp_path, images=12, seed=1, workers=0)


def test_the_real_data_set_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / OFFICIAL_NAME).write_bytes(b"the real one")
    with pytest.raises(HarError, match="not overwritten"):
        write_mpii(tmp_path, images=3, workers=0)
    assert [path.name for path in tmp_path.iterdir()] == [OFFICIAL_NAME]


def test_processes_write_the_same(tiny_mpii: Path, tmp_path: Path) -> None:
    write_mpii(tmp_path, images=24, workers=2)
    persons = read_official(tmp_path / OFFICIAL_NAME).persons
    other = read_official(tiny_mpii / "mpii" / OFFICIAL_NAME).persons
    assert persons.tobytes() == other[: len(persons)].tobytes()
    assert (persons["split"] == Split.VALIDATION).sum() == 2
    rows = json.loads((tmp_path / "annot" / "valid.json").read_text())
    assert [row["image"] for row in rows] == ["000000007.jpg", "000000018.jpg"]
