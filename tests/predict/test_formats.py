"""Results in formats of other programs: each is read by that program's own library."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from har import Predictor
from har.errors import HarError
from har.layouts import Layout, get_layout
from har.prediction.formats import FORMATS, check_formats
from har.prediction.openpose import BODY_25, body_25_joints
from har.runtime.engine import Engine
from har.video import Video
from tests.helpers.predicting import BOX, names, read_json, run, save
from tests.helpers.red_person import LAYOUT, picture, walking, write_video

OTHER = (220, 60, 260, 160)
FRAMES = 24
Joints = Mapping[tuple[int, int], np.ndarray]  # (J, 2) by frame and track


@pytest.fixture
def folder(tmp_path: Path, engine: Engine) -> Path:
    """Results of a video: one person in all frames, another one in the first half."""
    frames = [picture(BOX, OTHER) if n < FRAMES // 2 else picture(BOX) for n in range(FRAMES)]
    rows = [f"{f},{i},{','.join(map(str, b))}" for i, b in ((3, BOX), (5, OTHER)) for f in (0, 23)]
    (tmp_path / "boxes.csv").write_text("\n".join(["frame,id,x1,y1,x2,y2", *rows]))
    video = write_video(tmp_path / "two.avi", frames)
    formats = [name for name in FORMATS if name != "rerun"]
    words = f"formats=[{','.join(formats)}]", "video=false", f"boxes={tmp_path / 'boxes.csv'}"
    return run(tmp_path, video, *words)


def by_npz(folder: Path) -> Joints:
    with np.load(folder / "poses.npz") as file:
        keys = zip(file["frame"].tolist(), file["track"].tolist(), strict=True)
        return dict(zip(keys, file["joints_px"].astype(float), strict=True))


def assert_same(read: Joints, wanted: Joints) -> None:
    assert read.keys() == wanted.keys()
    for key, joints in wanted.items():
        assert np.abs(read[key] - joints).max() < 0.01, key


def test_the_long_table_holds_the_same_joints(folder: Path) -> None:
    with (folder / "poses.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    wanted = by_npz(folder)
    assert len(rows) == 17 * len(wanted) == 17 * FRAMES * 3 // 2
    read: dict[tuple[int, int], np.ndarray] = {}
    for row in rows:
        joints = read.setdefault((int(row["frame"]), int(row["track"])), np.full((17, 2), np.nan))
        joints[LAYOUT.joints.index(row["joint"])] = float(row["x_px"]), float(row["y_px"])
    assert_same(read, wanted)
    assert float(rows[-1]["time_s"]) == pytest.approx(23 / 30, abs=1e-3)


def test_pycocotools_reads_the_same_joints(folder: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco").COCO(folder / "poses_coco.json")
    (category,) = coco.loadCats(coco.getCatIds())
    assert category["keypoints"] == list(LAYOUT.joints)
    links = [(i - 1, j - 1) for i, j in category["skeleton"]]
    assert links == list(LAYOUT.links)
    images = coco.loadImgs(coco.getImgIds())
    assert [image["frame"] for image in images] == list(range(FRAMES))
    assert images[7]["file_name"] == "two_000000000007.jpg"
    assert {(image["width"], image["height"]) for image in images} == {(320, 240)}
    read = {}
    for image in images:
        for entry in coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]])):
            points = np.reshape(entry["keypoints"], (17, 3))
            assert (points[:, 2] == 2).all()
            assert entry["score"] == pytest.approx(0.9, abs=1e-3)
            x, y, w, h = entry["bbox"]
            np.testing.assert_allclose([x, y], points[:, :2].min(0), atol=0.002)
            np.testing.assert_allclose([x + w, y + h], points[:, :2].max(0), atol=0.002)
            read[image["frame"], entry["track_id"]] = points[:, :2]
    assert_same(read, by_npz(folder))


def test_openpose_has_a_file_per_frame(folder: Path) -> None:
    files = sorted((folder / "openpose").iterdir())
    assert len(files) == FRAMES
    assert files[3].name == "two_000000000003_keypoints.json"
    chosen = body_25_joints(LAYOUT)
    theirs = [n for n, number in enumerate(chosen) if number is not None]
    ours = [number for number in chosen if number is not None]
    read = {}
    for frame, file in enumerate(files):
        content = read_json(file)
        assert content["version"] == 1.3
        for person in content["people"]:
            points = np.reshape(person["pose_keypoints_2d"], (25, 3))
            missing = np.delete(points, theirs, axis=0)
            assert (missing == 0).all()
            assert points[theirs, 2] == pytest.approx(0.9, abs=1e-3)
            read[frame, person["person_id"][0]] = points[theirs, :2]
    assert_same(read, {key: joints[ours] for key, joints in by_npz(folder).items()})


def test_joints_of_body_25_are_found_by_name() -> None:
    found = dict(zip(BODY_25, body_25_joints(get_layout("pa17j")), strict=True))
    assert [name for name, number in found.items() if number is None] == [
        "nose", "right eye", "left eye", "right ear", "left ear", "left big toe",
        "left small toe", "left heel", "right big toe", "right small toe", "right heel",
    ]  # fmt: skip
    joints = get_layout("pa17j").joints
    assert joints[found["mid hip"] or 0] == "pelvis"
    assert all(joints[n] == name for name, n in found.items() if n and name != "mid hip")
    coco = ("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder")
    assert body_25_joints(Layout("own", coco))[15:19] == [2, 1, 4, 3]
    # NTU names its joints by the mirror
    assert get_layout("ntu25").joints[body_25_joints(get_layout("ntu25"))[3] or 0] == "left elbow"
    # "Nose" and "NOSE" are two joints of somebody's own: neither is the nose
    twice = Layout("twice", ("Nose", "NOSE", "neck"))
    assert body_25_joints(twice)[:2] == [None, 2]
    assert body_25_joints(Layout("exact", ("Nose", "nose", "neck")))[:2] == [1, 2]
    with pytest.raises(HarError, match="leave openpose out"):
        body_25_joints(Layout("dog", ("snout", "tail")))


def test_images_share_their_files(tmp_path: Path, engine: Engine) -> None:
    pictures = tmp_path / "in"
    for place in ("a", "b"):
        (pictures / place).mkdir(parents=True)
        save(pictures / place / "x.png", picture(BOX if place == "a" else OTHER))
    (pictures / "a" / "broken.png").write_bytes(b"\x89PNG")
    save(pictures / "empty.png", picture())
    out = run(tmp_path, pictures / "**/*.png", "formats=[npz,csv,coco,openpose]")
    coco = read_json(out / "poses_coco.json")
    files = {image["id"]: image["file_name"] for image in coco["images"]}
    assert sorted(Path(name).name for name in files.values()) == ["empty.png", "x.png", "x.png"]
    places = {Path(files[entry["image_id"]]).parent.name for entry in coco["annotations"]}
    assert places == {"a", "b"}
    stems = {name.removesuffix(".json") for name in names(out) if name.startswith(("x", "em"))}
    stems = {stem.removesuffix(".png") if stem == "empty.png" else stem for stem in stems}
    written = {name.removesuffix("_keypoints.json") for name in names(out / "openpose")}
    assert written <= {stem.removesuffix(".png") for stem in stems} | stems
    assert len(written) == 3
    with (out / "poses.csv").open(newline="", encoding="utf-8") as file:
        images = {row["image"] for row in csv.DictReader(file)}
    with np.load(out / "poses.npz") as file:
        assert images == {str(file["image_names"][n]) for n in file["frame"]}


@pytest.mark.parametrize(
    ("word", "sentence"),
    [("formats=[npz,bvh]", "bvh"), ("formats=7", "no list"), ("formats=coko", "choose of npz")],
)
def test_unknown_formats_are_refused(
    tmp_path: Path, engine: Engine, word: str, sentence: str
) -> None:
    with pytest.raises(HarError, match=sentence):
        run(tmp_path, save(tmp_path / "a.png", picture(BOX)), word)
    assert not (tmp_path / "out").exists()


def test_no_formats_and_formats_twice(tmp_path: Path, engine: Engine) -> None:
    video = write_video(tmp_path / "film.avi", walking(10))
    assert names(run(tmp_path, video, "formats=[]", "video=false")) == {"summary.json"}
    assert check_formats(["npz", "csv", "npz"]) == ("npz", "csv")
    assert check_formats("coco") == ("coco",)


def test_rerun_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rerun", None)
    with pytest.raises(HarError, match="pip install rerun-sdk"):
        check_formats(["rerun"])


# ---------------------------------------------------------------------------------------- rerun


def columns_of(path: Path, entity: str, component: str) -> list[tuple[int, float, list[object]]]:
    """Frame, time in s and values of a component, read by Rerun's own reader."""
    chunk = pytest.importorskip("rerun.chunk")
    rows = []
    for part in chunk.RrdReader(path).stream():
        if part.entity_path != entity:
            continue
        table = part.to_record_batch()
        named = [n for n in table.schema.names if n.endswith(component)]
        if named and "frame" in table.schema.names:
            data = table.to_pydict()
            seconds = [time.total_seconds() for time in data["time"]]
            rows += list(zip(data["frame"], seconds, data[named[0]], strict=True))
    return sorted((row for row in rows if row[2]), key=lambda row: row[0])


def test_rerun_reads_the_same_joints_frames_and_actions(tmp_path: Path, engine: Engine) -> None:
    pytest.importorskip("rerun")
    frames = walking(40, action=1)
    video = write_video(tmp_path / "film.avi", frames)
    out = run(tmp_path, video, "formats=[npz,rerun]", "video=false")
    path = out / "poses.rrd"
    assert names(out) == {"poses.npz", "poses.rrd", "summary.json"}
    points = columns_of(path, "/video/person_0", "Points2D:positions")
    assert_same({(f, 0): np.array(values) for f, _, values in points}, by_npz(out))
    assert [time_s for _, time_s, _ in points] == pytest.approx([n / 30 for n in range(40)])
    pictures = columns_of(path, "/video/image", "EncodedImage:blob")
    assert [frame for frame, _, _ in pictures] == list(range(40))
    data = np.array(pictures[17][2][0], np.uint8)
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    true = list(Video(video))[17].image
    assert np.abs(decoded.astype(int) - true).mean() < 3
    actions = columns_of(path, "/actions/person_0", "Scalars:scalars")
    assert actions[0][2] == pytest.approx([0.1, 0.8, 0.1])
    places = columns_of(path, "/world/person_0", "Points3D:positions")
    assert len(places) == 40
    with np.load(out / "poses.npz") as file:
        depths = np.array([values for _, _, values in places])[..., 2]
        np.testing.assert_allclose(depths, file["depth_mm"], atol=0.01)


def test_the_same_recording_from_a_result(tmp_path: Path, engine: Engine) -> None:
    pytest.importorskip("rerun")
    result = Predictor(engine)(np.array(walking(20)))
    path = result.save(tmp_path / "a.rrd")
    points = columns_of(path, "/video/person_0", "Points2D:positions")
    assert len(points) == 20
    np.testing.assert_allclose([p for _, _, p in points], result.poses.joints_px, atol=0.01)
    assert len(columns_of(path, "/video/image", "EncodedImage:blob")) == len(result.images)
    assert len(columns_of(path, "/actions/person_0", "Scalars:scalars")) == len(result.actions)


# --------------------------------------------------------------------------------- result.save


def test_a_result_saves_itself(tmp_path: Path, engine: Engine) -> None:
    result = Predictor(engine)(np.array(walking(20)))
    for name in ("a.npz", "a.csv", "a.json"):
        assert result.save(tmp_path / name) == tmp_path / name
    with np.load(tmp_path / "a.npz") as file:
        np.testing.assert_array_equal(file["joints_px"], result.poses.joints_px)
    assert json.loads((tmp_path / "a.json").read_text()) == json.loads(json.dumps(result.to_dict()))
    assert (tmp_path / "a.csv").read_text().count("\n") == 1 + 20 * 17
    result.save(tmp_path / "b.json", format="coco")
    assert len(read_json(tmp_path / "b.json")["annotations"]) == 20
    result.save(tmp_path / "actions.csv", format="actions")
    assert "still" in (tmp_path / "actions.csv").read_text()
    result.save(tmp_path / "op", format="openpose")
    assert len(names(tmp_path / "op")) == 20
    with pytest.raises(HarError, match="choose one of npz"):
        result.save(tmp_path / "a.bvh")


def test_tables_of_pandas(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas")
    result = Predictor(engine)(np.array(walking(20)))
    table = result.to_pandas()
    assert len(table) == 20 * 17
    assert list(table.columns)[:4] == ["frame", "time_s", "track", "joint"]
    wide = table.pivot(index="frame", columns="joint", values="x_px")[list(LAYOUT.joints)]
    np.testing.assert_array_equal(wide.to_numpy(), result.poses.joints_px[..., 0])
    actions = result.to_pandas("actions")
    best = actions.groupby("action")["probability"].mean()
    assert best.idxmax() == result.actions.top(1)[0].label
    with pytest.raises(HarError, match="poses or actions"):
        result.to_pandas("joints")
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(HarError, match="pip install pandas"):
        result.to_pandas()
