"""What a teacher's landmarks add to annotated joints, against a slow direct computation."""

from pathlib import Path

import numpy as np
import pytest

from har.data.people.teacher import EARS, LANDMARKS, Landmarks, exchanged, taught
from har.errors import HarError
from har.layouts import get_layout

LAYOUT = get_layout("pa17j")
JOINTS = LAYOUT.joints
NAMES = np.array([b"lsp/images/im0001.jpg", b"lspet/images/im00001.jpg"])


def some_landmarks(count: int = 2, seed: int = 0) -> Landmarks:
    rng = np.random.default_rng(seed)
    xy = rng.uniform(20, 180, (count, 33, 2))
    return Landmarks(
        np.full((count, 2), 200.0),
        xy,
        rng.normal(0, 0.4, (count, 33, 3)),
        rng.uniform(0, 1, (count, 33)),
    )


def annotated(teacher: Landmarks, missing: tuple[str, ...] = ()) -> np.ndarray:
    """Joints exactly where the teacher sees them."""
    joints = np.full((len(teacher.xy_px), len(JOINTS), 2), np.nan)
    for name, number in LANDMARKS.items():
        if name not in missing:
            joints[:, JOINTS.index(name)] = teacher.xy_px[:, number]
    return joints


def test_depth_is_measured_from_the_middle_of_the_hips_in_millimeters() -> None:
    teacher = some_landmarks()
    _, depth, agrees = taught(annotated(teacher), JOINTS, teacher)
    assert agrees.all()
    for person in range(2):
        z = teacher.world_m[person, :, 2]
        hips = (z[LANDMARKS["left hip"]] + z[LANDMARKS["right hip"]]) / 2
        for name, number in LANDMARKS.items():
            expected = 1000 * (z[number] - hips)
            assert depth[person, JOINTS.index(name)] == pytest.approx(expected)
        shoulders = (z[LANDMARKS["left shoulder"]] + z[LANDMARKS["right shoulder"]]) / 2
        assert depth[person, JOINTS.index("pelvis")] == pytest.approx(0)
        assert depth[person, JOINTS.index("thorax")] == pytest.approx(1000 * (shoulders - hips))
        ears = (z[EARS[0]] + z[EARS[1]]) / 2
        assert depth[person, JOINTS.index("head")] == pytest.approx(1000 * (ears - hips))


def test_a_teacher_who_looks_at_somebody_else_teaches_nothing() -> None:
    teacher = some_landmarks()
    joints = annotated(teacher)
    joints[1] += 300
    found, depth, agrees = taught(joints, JOINTS, teacher)
    assert agrees.tolist() == [True, False]
    assert np.isnan(depth[1]).all()
    np.testing.assert_array_equal(found[1], joints[1])


def test_a_joint_that_lies_elsewhere_keeps_its_place_and_gets_no_depth() -> None:
    teacher = some_landmarks()
    joints = annotated(teacher)
    wrist = JOINTS.index("left wrist")
    joints[0, wrist] += 1000
    found, depth, agrees = taught(joints, JOINTS, teacher)
    assert agrees[0]
    assert np.isnan(depth[0, wrist])
    np.testing.assert_array_equal(found[0, wrist], joints[0, wrist])
    assert np.isfinite(depth[1, wrist])


def test_a_joint_without_annotation_is_taken_where_the_teacher_is_sure() -> None:
    teacher = some_landmarks()
    number, joint = LANDMARKS["right knee"], JOINTS.index("right knee")
    teacher.visibility[:, number] = [0.9, 0.1]
    found, _, _ = taught(annotated(teacher, ("right knee",)), JOINTS, teacher)
    np.testing.assert_array_equal(found[0, joint], teacher.xy_px[0, number])
    assert np.isnan(found[1, joint]).all()


@pytest.mark.parametrize("seed", range(20))
def test_exchanged_sides_are_those_nearer_to_the_teachers_other_side(seed: int) -> None:
    teacher = some_landmarks(seed=seed)
    joints = annotated(teacher)
    rng = np.random.default_rng(seed)
    joints += rng.normal(0, 10, joints.shape)
    pairs = {part: [JOINTS.index(f"{side} {part}") for side in ("left", "right")]
             for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")}  # fmt: skip
    for pair in pairs.values():
        if rng.uniform() < 0.5:
            joints[:, pair] = joints[:, pair[::-1]]
    found = exchanged(joints, LAYOUT, teacher)
    torso = teacher.torso_px()
    for person in range(2):
        for part, pair in pairs.items():
            mine = [joints[person, joint] for joint in pair]
            theirs = [teacher.xy_px[person, LANDMARKS[JOINTS[joint]]] for joint in pair]
            same = sum(np.linalg.norm(a - b) for a, b in zip(mine, theirs, strict=True))
            other = sum(np.linalg.norm(a - b) for a, b in zip(mine, theirs[::-1], strict=True))
            apart = np.linalg.norm(mine[0] - mine[1]) > 0.3 * torso[person]
            wrong = apart and other < same and other < 0.5 * torso[person]
            assert found[person, pair].tolist() == [wrong, wrong], part
    assert not found[:, JOINTS.index("head")].any()


def test_nobody_is_exchanged_without_a_teacher_or_a_joint() -> None:
    teacher = some_landmarks()
    joints = annotated(teacher, ("left knee",))
    joints[:, JOINTS.index("right knee")] = teacher.xy_px[:, LANDMARKS["left knee"]]
    teacher.xy_px[1] = np.nan
    assert not exchanged(joints, LAYOUT, teacher).any()


def write(path: Path, teacher: Landmarks, names: np.ndarray = NAMES, **other: np.ndarray) -> None:
    arrays = {"names": names.astype(str), "size": teacher.size, "xy": teacher.xy_px}
    arrays |= {"world": teacher.world_m, "visibility": teacher.visibility}
    np.savez(path, **{**arrays, **other})


def test_rows_are_matched_by_the_photographs_names(tmp_path: Path) -> None:
    teacher = some_landmarks()
    write(tmp_path / "teacher.npz", teacher)
    wanted = np.array([NAMES[1], b"lsp/images/im0777.jpg", NAMES[0]])
    found = Landmarks.read(tmp_path / "teacher.npz", wanted)
    np.testing.assert_array_equal(found.xy_px[0], teacher.xy_px[1])
    np.testing.assert_array_equal(found.world_m[2], teacher.world_m[0])
    assert np.isnan(found.xy_px[1]).all()
    assert np.isnan(found.size[1]).all()


@pytest.mark.parametrize("case", ["missing", "no archive", "shape", "other names", "an array less"])
def test_a_file_that_cannot_be_used_is_one_sentence(tmp_path: Path, case: str) -> None:
    path = tmp_path / "teacher.npz"
    if case == "no archive":
        path.write_bytes(b"PK\3\4 cut off")
    elif case == "shape":
        write(path, some_landmarks(), xy=np.zeros((2, 17, 2)))
    elif case == "other names":
        write(path, some_landmarks(), names=np.array([b"a.jpg", b"b.jpg"]))
    elif case == "an array less":
        np.savez(path, names=NAMES.astype(str))
    with pytest.raises(HarError, match=r"teacher\.npz .*(write it|not \[)"):
        Landmarks.read(path, NAMES)
