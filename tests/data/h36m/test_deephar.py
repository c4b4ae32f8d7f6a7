"""The original program's annotation of Human3.6M gives the joints of mmpose's."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io

from har.data.framestore.folder import open_prepared
from har.data.h36m.deephar import FROM_32, read_sequences
from har.data.h36m.files import H36MError
from har.data.h36m.prepare import prepare_h36m

TURN = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
TURN *= np.sign(np.linalg.det(TURN))
PLACE = np.array([1800.0, 4900.0, 1500.0])
LENS = {"f": [1145.0, 1143.0], "c": [512.0, 515.0], "k": [-0.2, 0.25, 0.0], "p": [-0.001, -0.002]}


def in_camera(frame: int) -> np.ndarray:
    """32 joints (32, 3) in the camera's space."""
    rng = np.random.default_rng(frame)
    return rng.normal(0, 300, (32, 3)) + np.array([0, 0, 5000])


def write(path: Path, **changes) -> None:
    def sequence(name: str, numbers: list[int]) -> dict:
        frames = np.empty(len(numbers), dtype=object)
        for row, number in enumerate(numbers):
            world = in_camera(number) @ TURN + PLACE  # the inverse of R (X - T)
            frames[row] = {"f": number, "w": 100, "h": 100, "pose3d": world.T}
        camera = {"R": TURN, "T": PLACE[:, None], **LENS}
        return {"name": name, "camera_parameters": camera, "frames": frames} | changes

    def cells(*structs: dict) -> np.ndarray:
        array = np.empty(len(structs), dtype=object)
        array[:] = structs
        return array

    labels = np.array(["Directions", "Taking Photo", "Walk dog"], dtype=object)
    scipy.io.savemat(
        path,
        {
            "action_labels": labels,
            "sequences_tr": cells(sequence("a02_s05_c1", [1, 6, 11]), sequence("a01_s06_c1", [1])),
            "sequences_val": cells(sequence("a03_s09_c1", [1, 65])),
            "sequences_te": cells(),
        },
    )


def test_joints_images_and_cameras(tmp_path: Path) -> None:
    root = tmp_path / "h36m"
    root.mkdir()
    write(root / "annotations.mat")
    for name, numbers in (
        ("a02_s05_c1", (1, 6, 11)),
        ("a01_s06_c1", (1,)),
        ("a03_s09_c1", (1, 65)),
    ):
        folder = root / "images.new" / name
        folder.mkdir(parents=True)
        for number in numbers:
            image = np.full((100, 100, 3), 20 + number, np.uint8)
            cv2.imwrite(str(folder / f"{number:05d}.jpg"), image)
    report, _ = prepare_h36m(tmp_path, workers=0)
    assert (report.done, report.frames, report.skipped) == (3, 6, {})
    index, store = open_prepared(root)
    number = index.number_of("a03_s09_c1")
    assert (index.labels[number], index.splits[number]) == (b"WalkDog", b"test")
    assert index.labels[index.number_of("a02_s05_c1")] == b"Photo"
    assert store.read("a03_s09_c1", [1])[0].mean() == pytest.approx(85, abs=2)
    k1, k2, k3 = LENS["k"]
    for row, frame in enumerate((1, 65)):
        joints = index.joints(number)[row, 0]
        for joint, place in zip(joints, FROM_32, strict=True):
            x, y, z = in_camera(frame)[place]
            a, b = x / z, y / z
            r2 = a * a + b * b
            p, q = LENS["p"]
            bend = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3 + a * p + b * q
            u, v = 1145 * (a * bend + r2 * p) + 512, 1143 * (b * bend + r2 * q) + 515
            np.testing.assert_allclose(joint[:2], [u, v], atol=0.2)
            assert joint[2] == pytest.approx(z, abs=0.01)
    assert index.intrinsics(number)[:4].tolist() == [1145, 1143, 512, 515]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "x"},
        {"name": "a99_s05"},
        {"camera_parameters": {"R": np.eye(2)}},
        {"camera_parameters": 3},
        {"frames": 3},
        {"frames": np.array([{"f": 2.5, "pose3d": np.ones((3, 32))}], dtype=object)},
        {"frames": np.array([{"f": 1e12, "pose3d": np.ones((3, 32))}], dtype=object)},
        {"frames": np.array([{"f": 1, "pose3d": np.full((3, 32), np.nan)}], dtype=object)},
        {"frames": np.array([{"f": 1, "pose3d": np.ones((3, 31))}], dtype=object)},
        {"frames": np.array([{"f": 1, "pose3d": np.full((3, 32), 1e40)}], dtype=object)},
    ],
)
def test_damage_ends_in_a_sentence(tmp_path: Path, changes: dict) -> None:
    path = tmp_path / "annotations.mat"
    write(path, **changes)
    with pytest.raises(H36MError, match=r"annotations\.mat"):
        read_sequences(path, 5, 64)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(H36MError, match="damaged"):
        read_sequences(path, 5, 64)


def write_lists(path: Path, train: list[str], tested: list[str], turn: np.ndarray = TURN) -> None:
    """An annotation of a frame of each sequence."""
    frame = {"f": 1, "w": 100, "h": 100, "pose3d": (in_camera(1) @ TURN + PLACE).T}
    lists = {}
    for key, names in (("tr", train), ("val", tested), ("te", [])):
        lists[f"sequences_{key}"] = np.empty(len(names), dtype=object)
        for place, name in enumerate(names):
            frames = np.empty(1, dtype=object)
            frames[0] = frame
            camera = {"R": turn, "T": PLACE[:, None], **LENS}
            lists[f"sequences_{key}"][place] = {
                "name": name,
                "camera_parameters": camera,
                "frames": frames,
            }
    labels = np.array(["Directions", "Taking Photo", "Walk dog"], dtype=object)
    scipy.io.savemat(path, {"action_labels": labels, **lists})


@pytest.mark.parametrize(
    ("train", "tested", "message"),
    [
        (["a02_s05_c1", "a02_s05_c1"], ["a03_s09_c1"], "a02_s05_c1 twice"),
        (["a02_s09_c1"], ["a03_s09_c1"], "a02_s09_c1 of subject 9 in sequences_tr"),
        (["a02_s05_c1"], ["a03_s05_c1"], "a03_s05_c1 of subject 5 in sequences_val"),
        (["a02_s02_c1"], [], "subject 2 in sequences_tr"),
        (["a\N{SUPERSCRIPT TWO}\N{SUPERSCRIPT THREE}_s05"], [], "without an action"),
    ],
)
def test_sequences_of_the_wrong_list_and_twice_are_refused(
    tmp_path: Path, train: list[str], tested: list[str], message: str
) -> None:
    path = tmp_path / "annotations.mat"
    write_lists(path, train, tested)
    with pytest.raises(H36MError, match=message) as caught:
        read_sequences(path, 1, 1)
    assert str(path) in str(caught.value)


def test_a_sequence_without_a_subject_in_its_name_and_in_both_lists_is_refused(
    tmp_path: Path,
) -> None:
    path = tmp_path / "annotations.mat"
    write_lists(path, ["a02 walk"], ["a02 walk"])
    with pytest.raises(H36MError, match="a02 walk twice"):
        read_sequences(path, 1, 1)


@pytest.mark.parametrize("turn", [2 * TURN, TURN + np.full(3, 0.01), TURN * [[-1], [1], [1]]])
def test_a_matrix_that_is_no_rotation_is_refused(tmp_path: Path, turn: np.ndarray) -> None:
    path = tmp_path / "annotations.mat"
    write_lists(path, ["a02_s05_c1"], ["a03_s09_c1"], turn)
    with pytest.raises(H36MError, match="R of the sequence a02_s05_c1 that is no rotation"):
        read_sequences(path, 1, 1)


def test_a_rotation_of_few_digits_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "annotations.mat"
    write_lists(path, ["a02_s05_c1"], ["a03_s09_c1"], TURN.astype(np.float32))
    sequences, _ = read_sequences(path, 1, 1)
    depths = in_camera(1)[list(FROM_32), 2]
    np.testing.assert_allclose(sequences[0].joints[0, :, 2], depths, atol=0.01)


def test_lists_of_numbers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "annotations.mat"
    write_lists(path, ["a02_s05_c1"], ["a03_s09_c1"])
    known = scipy.io.loadmat(path, struct_as_record=False)
    kept = {key: value for key, value in known.items() if not key.startswith("__")}
    scipy.io.savemat(path, {**kept, "sequences_val": np.ones(3)})
    with pytest.raises(H36MError, match=r"float64 \(1, 3\) as sequences_val"):
        read_sequences(path, 1, 1)
