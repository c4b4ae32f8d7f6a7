"""The page in Debian's chromium, without a window, with a fake camera: nothing else is installed on
a visitor's machine, and nothing is asked of another one."""

import base64
import glob
import importlib.util
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import urlopen

import numpy as np
import pytest

from tests.helpers.predicting import save
from tests.helpers.red_person import joints_of, picture, walking, write_video

CHROMIUM = shutil.which("chromium")
ROOT = Path(__file__).parents[2]
BOX = (60, 80, 100, 180)
_NAMES = ("gradio", "playwright")
missing = [name for name in _NAMES if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}"),
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed"),
]
_FAKE_CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
_DROP = """(zone, [name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, {type}));
  const event = {dataTransfer: transfer, bubbles: true, cancelable: true};
  for (const kind of ["dragenter", "dragover", "drop"])
    zone.dispatchEvent(new DragEvent(kind, event));
}"""


@dataclass
class Server:
    """The page's process; ``files`` is the folder that it keeps files in."""

    address: str
    folder: Path
    files: Path

    def hosts(self) -> set[str]:
        return set((self.folder / "connections.txt").read_text(encoding="utf-8").split())

    def kept(self) -> set[str]:
        """Names of all files that visitors have left; gradio leaves empty ones without a name."""
        found = set()
        # glob passes over folders that are removed meanwhile, which Path.rglob does not
        everything = glob.glob(f"{self.files}/**", recursive=True, include_hidden=True)
        for path in map(Path, everything):
            with suppress(FileNotFoundError):  # removed meanwhile, which is what a test waits for
                if path.is_file() and path.stat().st_size:
                    found.add(path.name)
        return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("app")
    (folder / "tmp").mkdir()
    paths = [str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    environment["TMPDIR"] = str(folder / "tmp")
    words = ["weights=red", "port=null", "max_file_mb=1", "max_seconds=5", "max_camera_s=30"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.helpers.app_server", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=(folder / "errors.txt").open("w"),
        text=True,
    )
    try:
        assert process.stdout is not None
        found = re.search(r"Open (http://\S+)", process.stdout.readline())
        assert found, (folder / "errors.txt").read_text()
        (files,) = (folder / "tmp").glob("har_app_*")
        yield Server(found[1], folder, files)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)
    assert process.returncode == 0
    assert "Traceback" not in (folder / "errors.txt").read_text()
    assert not files.exists()


@dataclass
class Visit:
    """The page in a browser."""

    page: Any
    server: Server
    urls: list[str] = field(default_factory=list)

    def drop(self, name: str, data: bytes, kind: str = "image/png", taken: bool = True) -> None:
        zone = self.page.locator("button", has_text="Drop File Here").first
        zone.evaluate(_DROP, [name, kind, base64.b64encode(data).decode()])
        if taken:
            zone.wait_for(state="detached")

    def predict(self) -> str:
        before = self.page.get_by_label("Result").input_value()
        self.page.get_by_role("button", name="Predict").click()
        return self.text(lambda text: bool(text) and text != before)

    def text(self, wanted: Callable[[str], bool]) -> str:
        """The field Result, when it is as wanted."""
        result, text = self.page.get_by_label("Result"), ""
        for _ in range(300):
            text = result.input_value()
            if wanted(text):
                return str(text)
            time.sleep(0.1)
        raise AssertionError(f"the result is {text!r}")

    def archive(self) -> zipfile.ZipFile:
        link = self.page.get_by_role("link", name="Download all results")
        with urlopen(f"{self.server.address}{link.get_attribute('href')}") as answer:
            return zipfile.ZipFile(io.BytesIO(answer.read()))

    def image(self, name: str) -> Any:
        found = self.page.get_by_alt_text(name)
        found.wait_for()
        return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-dev-shm-usage", *_FAKE_CAMERA]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@pytest.fixture
def visit(server: Server, browser: Any) -> Iterator[Visit]:
    page = browser.new_page()
    visit = Visit(page, server)
    page.on("request", lambda request: visit.urls.append(request.url))
    page.goto(server.address)
    page.get_by_role("button", name="Predict").wait_for()
    yield visit
    page.close()
    hosts = {urlparse(url).hostname for url in visit.urls if url.startswith(("http", "ws"))}
    assert hosts == {"127.0.0.1"}
    for _ in range(100):  # what the visitor left is removed
        if not server.kept():
            break
        time.sleep(0.1)
    assert not server.kept()


def png(tmp_path: Path) -> bytes:
    return save(tmp_path / "image.png", picture(BOX)).read_bytes()


def test_a_picture_by_drag_and_drop(visit: Visit, tmp_path: Path) -> None:
    visit.drop("a red person [1].png", png(tmp_path))
    assert visit.predict() == "a red person [1].png: 1 person."
    drawn = visit.image("Image with skeletons")
    assert drawn.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [320, 240]
    before = visit.image("3-D view").get_attribute("src")
    with visit.archive() as archive:
        assert {"poses.npz", "poses.csv", "summary.json"} <= set(archive.namelist())
        poses = np.load(io.BytesIO(archive.read("poses.npz")))
    np.testing.assert_allclose(poses["joints_px"][0], joints_of(BOX), atol=1.5)
    angle = visit.page.get_by_role("slider", name="Angle")
    angle.focus()
    angle.press("End")
    visit.page.wait_for_function(
        "before => document.querySelector('img[alt=\"3-D view\"]').src !== before", arg=before
    )


def test_a_video(visit: Visit, tmp_path: Path) -> None:
    film = write_video(tmp_path / "walk.mp4", walking(60, action=1))
    visit.drop("walk.mp4", film.read_bytes(), "video/mp4")
    text = visit.predict()
    assert text.startswith("walk.mp4: 60 frames, 2.0 s, 1 person. Actions: person 0: waving ")
    with visit.archive() as archive:
        names = set(archive.namelist())
        poses = np.load(io.BytesIO(archive.read("poses.npz")))
    assert {"annotated.mp4", "poses.npz", "poses.csv", "actions.csv", "summary.json"} <= names
    assert len(poses["frame"]) == 60
    before = visit.image("Actions over time").get_attribute("src")
    at = visit.page.get_by_role("slider", name="Time")
    at.focus()
    at.press("End")
    visit.page.wait_for_function(
        "before => document.querySelector('img[alt=\"Actions over time\"]').src !== before",
        arg=before,
    )
    if importlib.util.find_spec("av") is not None:  # else no browser plays what OpenCV writes
        visit.page.wait_for_function("document.querySelector('video').videoWidth > 0")


def test_a_camera(visit: Visit) -> None:
    visit.page.get_by_role("tab", name="Camera").click()
    visit.page.get_by_text("Click to Access Webcam").click()
    visit.page.get_by_label("capture photo").click()
    drawn = visit.image("Camera with skeletons")
    before = drawn.get_attribute("src")
    visit.page.wait_for_function(
        "before => document.querySelector('img[alt=\"Camera with skeletons\"]').src !== before",
        arg=before,
    )
    visit.page.get_by_label("capture photo").click()  # stops it
    visit.page.get_by_role("button", name="Show the results").click()
    text = visit.text(lambda text: text.startswith("Camera"))
    found = re.match(r"Camera: (\d+) frames", text)
    assert found
    with visit.archive() as archive:
        assert {"poses.npz", "poses.csv", "summary.json"} <= set(archive.namelist())
        summary = archive.read("summary.json").decode()
    assert f'"frames": {found[1]},' in summary
    assert int(found[1]) >= 2


def test_bad_uploads_end_in_a_sentence(visit: Visit, tmp_path: Path) -> None:
    assert visit.predict() == "Give an image or a video first."
    visit.drop("notes.png", b"this is no image")
    assert visit.predict() == "notes.png is no image, or a broken one."
    assert visit.page.get_by_role("link", name="Download").count() == 0
    visit.page.get_by_label("Clear").first.click()
    film = write_video(tmp_path / "long.avi", walking(60), fps=10)
    visit.drop("long.avi", film.read_bytes(), "video/x-msvideo")
    assert visit.predict().startswith("long.avi is 6 s long, more than the 5 s of this page: ")
    visit.page.get_by_label("Clear").first.click()
    visit.drop("large.png", bytes(2**20 + 1), taken=False)
    visit.page.get_by_text("maximum allowed size").first.wait_for()


def test_no_address_but_this_machine(server: Server, visit: Visit) -> None:
    """Of the browser every test sees its requests; this is the server."""
    assert server.hosts() <= {"127.0.0.1", "localhost", "::1", "None"}
