"""The folder of results: nothing in it is lost or mixed, and nothing that is read."""

from pathlib import Path

import numpy as np
import pytest

from har.errors import HarError
from har.prediction.sources import result_names
from har.runtime.engine import Engine
from tests.helpers.predicting import BOX, IMAGE_FILES, names, read_json, run, save
from tests.helpers.red_person import joints_of, picture, walking, write_video


@pytest.mark.parametrize(
    ("source", "boxes", "out"),
    [
        ("links/q.png", None, "links"),  # the link is in the way
        ("links/q.png", None, "data"),  # what it names is
        ("data/q.png", "labels", "labels"),
        ("data/q.png", "above", "above/labels"),
    ],
)
def test_links_and_folders_of_labels_are_no_place_for_results(
    tmp_path: Path, engine: Engine, source: str, boxes: str | None, out: str
) -> None:
    for folder in ("data", "links", "labels", "above/labels"):
        (tmp_path / folder).mkdir(parents=True)
    save(tmp_path / "data" / "q.png", picture(BOX))
    (tmp_path / "links" / "q.png").symlink_to(tmp_path / "data" / "q.png")
    for folder in ("labels", "above/labels"):
        (tmp_path / folder / "q.txt").write_text("0 0.25 0.54 0.13 0.42\n")
    given = [] if boxes is None else [f"boxes={tmp_path / boxes}"]
    with pytest.raises(HarError, match="choose another folder"):
        run(tmp_path, tmp_path / source, *given, out=out)
    assert (tmp_path / "links" / "q.png").is_symlink()
    assert names(tmp_path / "data") == {"q.png"}


def test_results_of_two_sources_never_stand_together(tmp_path: Path, engine: Engine) -> None:
    first, second = (write_video(tmp_path / f"{n}.avi", walking(3)) for n in ("first", "second"))
    out = run(tmp_path, first, "formats=[npz,openpose,coco]")
    (out / "notes.txt").write_text("mine")
    (out / "openpose" / "mine_000000000000_keypoints.json").write_text("{}")
    run(tmp_path, first, "video=false", "formats=[csv]")  # of the same one all stays
    assert {"annotated.mp4", "poses.npz", "poses.csv", "poses_coco.json"} <= names(out)
    run(tmp_path, second, "video=false", "formats=[csv]")
    results = {"poses.csv", "actions.csv", "summary.json"}
    assert names(out) == {*results, "notes.txt", "openpose"}
    assert names(out / "openpose") == {"mine_000000000000_keypoints.json"}
    assert read_json(out / "summary.json")["source"] == str(second)
    save(tmp_path / "a.png", picture(BOX))
    run(tmp_path, tmp_path / "a.png", "formats=[npz]")
    assert names(out) == {
        *("poses.npz", "summary.json", "a.png", "a.json", "notes.txt", "openpose"),
    }
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "poses.npz").write_text("mine")
    (tmp_path / "theirs" / "summary.json").write_text('{"source": "of another program"}')
    run(tmp_path, second, "video=false", "formats=[csv]", out="theirs")
    assert (tmp_path / "theirs" / "poses.npz").read_text() == "mine"


def test_videos_called_as_files_of_results(tmp_path: Path, engine: Engine) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    save(folder / "a.png", picture(BOX))
    called = ("poses.npz", "poses.csv", "Summary.JSON", "poses_coco.json", "poses.rrd", "openpose")
    for name in called:
        write_video(folder / f"{name}.mp4", walking(2))
    made = result_names(sorted(folder.iterdir()))
    assert not {name.casefold() for name in called} & {name.casefold() for name in made.values()}
    out = run(tmp_path, folder, "video=false", "formats=[npz,csv]")
    found = [read_json(path)["source"] for path in out.glob("*/summary.json")]
    assert {Path(each).stem for each in found} == set(called)
    assert (out / "poses.npz").is_file()
    assert read_json(out / "summary.json")["images"][0]["persons"] == 1


def test_a_full_disk_keeps_the_poses_of_images(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, image: np.ndarray) -> None:
        raise HarError(f"{path} cannot be written: No space left on device.")

    monkeypatch.setattr("har.prediction.images.write_image", full)
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a", "b"):
        save(folder / f"{name}.png", picture(BOX))
    with pytest.raises(HarError, match=r"a\.png cannot be written: No space left on device"):
        run(tmp_path, folder)
    out = tmp_path / "out"
    assert IMAGE_FILES | {"a.json"} == names(out)
    with np.load(out / "poses.npz") as poses:
        assert poses["image_names"][0] == "a.png"
        assert np.abs(poses["joints_px"][0] - joints_of(BOX)).max() < 2
    assert not read_json(out / "summary.json")["complete"]
