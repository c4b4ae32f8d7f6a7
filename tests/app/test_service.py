"""What the page does, without the page: a network that sees red persons computes."""

import csv
import zipfile
from pathlib import Path

import numpy as np
import pytest

from har.app.camera import Camera
from har.app.networks import Detector, Networks, find_networks
from har.app.service import ALL, FILE, ONE, Limits, Service
from har.app.sessions import Session, Sessions
from har.errors import HarError
from har.prediction.predictor import Predictor
from tests.helpers.predicting import save
from tests.helpers.red_person import (
    joints_of,
    picture,
    red_engine,
    walker_box,
    walking,
    write_video,
)

BOX = (60, 80, 100, 180)
OTHER = (200, 40, 240, 140)


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Service:
    monkeypatch.setattr("har.runtime.loading.load_engine", lambda *_, **__: red_engine())
    root = tmp_path / "visitors"
    root.mkdir()
    return Service(
        Networks({"red": "red"}, smooth=False),
        Detector(None, "cpu"),
        Sessions(root, keep_s=600, clock=clock),
        Limits(max_seconds=5, max_camera_s=2),
        ("npz", "csv"),
    )


def upload(service: Service, name: str, data: bytes, kind: str = "upload") -> Session:
    """The visitor Ada, who has uploaded a file."""
    session = service.sessions.of("Ada")
    place = service.sessions.root.parent / "arrived"
    place.mkdir(exist_ok=True)
    (place / name).write_bytes(data)
    setattr(session, kind, session.take(place / name, kind))
    assert not list(place.iterdir())
    return session


def film(tmp_path: Path, frames: int, fps: float = 30.0, action: int = 0) -> bytes:
    return write_video(tmp_path / "film.avi", walking(frames, action=action), fps).read_bytes()


def test_an_image_is_predicted_as_by_the_command(service: Service, tmp_path: Path) -> None:
    data = save(tmp_path / "image.png", picture(BOX)).read_bytes()
    result = service.predict(upload(service, "Ada's photo.png", data), "red", ONE)
    assert result.text == "Ada's photo.png: 1 person."
    np.testing.assert_allclose(result.poses.joints_px[0], joints_of(BOX), atol=1.5)
    assert result.picture is not None
    assert result.picture.is_file()
    assert result.timeline(0, 0.0) is None
    front, side = (result.view_3d(0, 0.0, angle) for angle in (0, 90))
    assert front is not None
    assert side is not None
    assert (front != side).any()


def test_a_video_with_its_actions_and_progress(service: Service, tmp_path: Path) -> None:
    session, seen = upload(service, "walk.avi", film(tmp_path, 60, action=1)), []
    result = service.predict(session, "red", ONE, lambda *count: seen.append(count))
    assert seen == [(n, 60) for n in range(1, 61)]
    assert "60 frames, 2.0 s, 1 person. Actions: person 0: waving" in result.text
    early, late = result.timeline(0, 0.0), result.timeline(0, 2.0)
    assert early is not None
    assert late is not None
    assert (early != late).any()
    with zipfile.ZipFile(result.archive()) as archive:
        names = set(archive.namelist())
        rows = list(csv.DictReader(archive.read("actions.csv").decode().splitlines()))
    assert {"annotated.mp4", "poses.npz", "poses.csv", "actions.csv", "summary.json"} <= names
    assert {row["action_1"] for row in rows} == {"waving"}


def test_boxes_of_a_file(service: Service, tmp_path: Path) -> None:
    data = save(tmp_path / "image.png", picture(BOX, OTHER)).read_bytes()
    session = upload(service, "two.png", data)
    with pytest.raises(HarError, match=r"Give a file of boxes, \.csv or \.json, too\."):
        service.predict(session, "red", FILE)
    rows = [",".join(map(str, ("two.png", *box))) for box in (BOX, OTHER)]
    upload(service, "boxes.csv", "\n".join(["image,x1,y1,x2,y2", *rows]).encode(), "boxes")
    result = service.predict(session, "red", FILE)
    assert result.text == "two.png: 2 persons."
    upload(service, "boxes.csv", b"image,x1\n", "boxes")
    with pytest.raises(HarError, match=r"boxes\.csv") as told:
        service.predict(session, "red", FILE)
    assert str(tmp_path) not in str(told.value)


def test_all_persons_by_a_detector(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.detector, "_loaded", lambda image: np.array([BOX, OTHER], float))
    data = save(tmp_path / "image.png", picture(BOX, OTHER)).read_bytes()
    result = service.predict(upload(service, "two.png", data), "red", ALL)
    assert result.tracks == [0, 1]


def test_a_detector_that_was_not_downloaded_is_not_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert not Detector(None, "cpu").is_here()
    assert Detector("weights.pth", "cpu").is_here()
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "fasterrcnn_mobilenet_v3_large_320_fpn-907ea3f9.pth").touch()
    assert Detector(None, "cpu").is_here()


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("notes.png", b"no image", "notes.png is no image, or a broken one."),
        ("notes.txt", b"no image", "notes.txt is no video that OpenCV can read, or a broken one."),
        ("empty.mp4", b"", "empty.mp4 is no video that OpenCV can read, or a broken one."),
    ],
)
def test_bad_files(service: Service, name: str, data: bytes, sentence: str) -> None:
    session = upload(service, name, data)
    with pytest.raises(HarError) as told:
        service.predict(session, "red", ONE)
    assert str(told.value) == sentence


def test_what_is_missing_is_said(service: Service) -> None:
    session = service.sessions.of("Ada")
    with pytest.raises(HarError, match=r"^Give an image or a video first\.$"):
        service.predict(session, "red", ONE)
    with pytest.raises(HarError, match=r"^Nothing was recorded: start the camera first\.$"):
        service.finish_camera(session)


def test_another_network_than_those_offered(service: Service, tmp_path: Path) -> None:
    data = save(tmp_path / "image.png", picture(BOX)).read_bytes()
    with pytest.raises(HarError, match=r"^There is no network /etc/passwd here: "):
        service.predict(upload(service, "a.png", data), "/etc/passwd", ONE)


def test_a_long_video_is_refused_before_and_while_it_is_predicted(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = upload(service, "long.avi", film(tmp_path, 60, fps=10))
    with pytest.raises(HarError, match=r"^long\.avi is 6 s long, more than the 5 s of this page: "):
        service.predict(session, "red", ONE)
    # a file that states nothing, or too little
    monkeypatch.setattr("har.video.Video.num_frames", None)
    service.limits = Limits(max_seconds=6.5, max_camera_s=2)
    service.predict(session, "red", ONE)
    monkeypatch.setattr("har.app.service.Video", _states_nothing)
    service.limits = Limits(max_seconds=2, max_camera_s=2)
    with pytest.raises(HarError, match=r"^long\.avi is longer than 2 s: "):
        service.predict(session, "red", ONE)


def _states_nothing(path: Path) -> object:
    from har.video import Video

    video = Video(path)
    video.duration_s = None
    return video


def test_a_camera_is_predicted_frame_by_frame(service: Service, clock: Clock) -> None:
    session = service.sessions.of("Ada")
    predictor = service.networks.predictor("red")
    session.camera = Camera(predictor, (320, 240), limit_s=2, clock=clock)
    for number, image in enumerate(walking(50, action=1)):
        clock.now_s = number / 25
        drawn = service.camera_frame(session, image, "red", ONE)
    assert drawn.shape[1] == 320 + 240  # the frame, and the 3-D view beside it
    clock.now_s = 2.1
    with pytest.raises(HarError, match=r"^A recording has at most 2 s: "):
        service.camera_frame(session, image, "red", ONE)
    result = service.finish_camera(session)
    assert result.text.startswith("Camera: 50 frames, 2.0 s, 1 person. Actions: person 0: waving")
    expected = np.array([joints_of(walker_box(n)) for n in range(50)])
    np.testing.assert_allclose(result.poses.joints_px, expected, atol=2.5)
    np.testing.assert_allclose(result.poses.time_s, np.arange(50) / 25)
    alone = Predictor(red_engine(), smooth=False)(np.stack(walking(50, action=1)), fps=25)
    np.testing.assert_allclose(result.actions.time_s, alone.actions.time_s)
    with zipfile.ZipFile(result.archive()) as archive:
        assert set(archive.namelist()) == {"poses.npz", "poses.csv", "actions.csv", "summary.json"}
    assert session.camera is None


def test_a_camera_of_another_size_begins_a_new_recording(service: Service) -> None:
    session = service.sessions.of("Ada")
    service.camera_frame(session, picture(BOX), "red", ONE)
    first = session.camera
    service.camera_frame(session, picture(BOX), "red", ONE)
    assert session.camera is first
    service.camera_frame(session, picture(BOX, size=(160, 240)), "red", ONE)
    assert session.camera is not first


def test_visitors_have_files_of_their_own_which_are_removed(
    service: Service, clock: Clock, tmp_path: Path
) -> None:
    data = save(tmp_path / "image.png", picture(BOX)).read_bytes()
    session = upload(service, "a.png", data)
    first = service.predict(session, "red", ONE).archive()
    second = service.predict(session, "red", ONE).archive()
    assert first != second
    assert not first.exists()  # only the last result is kept
    other = service.sessions.of("Grace")
    assert other.upload is None
    assert other.folder != session.folder
    service.sessions.end("Grace")
    assert not other.folder.exists()
    assert session.folder.exists()
    clock.now_s = 601
    service.sessions.end_old()
    assert not session.folder.exists()


def test_a_closed_page_ends_its_prediction(service: Service, tmp_path: Path) -> None:
    session = upload(service, "walk.avi", film(tmp_path, 60))
    done: list[int] = []

    def report(frames: int, total: int | None) -> None:
        done.append(frames)
        if frames == 10:
            service.sessions.end("Ada")

    with pytest.raises(HarError, match="The page was closed"):
        service.predict(session, "red", ONE, report)
    assert done[-1] == 10
    assert not session.folder.exists()


def test_a_prediction_that_takes_long_is_not_forgotten(
    service: Service, clock: Clock, tmp_path: Path
) -> None:
    session = upload(service, "walk.avi", film(tmp_path, 5))

    def report(*_: int | None) -> None:
        clock.now_s += 400
        service.sessions.end_old()

    service.predict(session, "red", ONE, report)
    assert session.folder.exists()


def test_networks_of_a_folder_the_newest_first(tmp_path: Path) -> None:
    import os

    assert find_networks("spnet_ntu", tmp_path) == {"spnet_ntu": "spnet_ntu"}
    assert find_networks(None, tmp_path / "outputs") == {"people": "people"}
    with pytest.raises(HarError, match=r"^There are no weights of a network in .*: give another"):
        find_networks(str(tmp_path), tmp_path)
    for age, name in enumerate(("b/last.ckpt", "a/last.ckpt", "c.onnx", "notes.txt")):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (1000 - age, 1000 - age))
    found = find_networks(str(tmp_path), Path("elsewhere"))
    assert list(found) == ["b/last.ckpt", "a/last.ckpt", "c.onnx"]
    assert find_networks(None, tmp_path) == {"people": "people", **found}
    file = str(tmp_path / "c.onnx")
    assert find_networks(file, tmp_path) == {file: file}
