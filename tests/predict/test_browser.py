"""An annotated video plays in a browser: Debian's chromium, without a window."""

import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from har.video_writer import h264_is_here, video_file
from tests.helpers.red_person import walking

BROWSER = shutil.which("chromium")
PAGE = """<!doctype html><body style="margin:0"><video muted autoplay src="annotated.mp4"></video>
<script>
const video = document.querySelector("video");
const tell = () => { document.title = [video.readyState, video.videoWidth, video.videoHeight,
  video.duration.toFixed(2), video.error ? video.error.code : 0].join(" "); };
video.addEventListener("canplaythrough", tell); video.addEventListener("error", tell);
</script></body>"""


def browse(page: Path, *options: str) -> str:
    """What chromium prints about a page."""
    assert BROWSER is not None
    common = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    folder = f"--user-data-dir={page.parent / 'profile'}"
    waiting = ["--virtual-time-budget=20000", "--window-size=320,240"]
    command = [BROWSER, *common, folder, *waiting, *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="Debian's chromium is not installed")
@pytest.mark.skipif(not h264_is_here(), reason="the extra `video` is not installed")
def test_an_annotated_video_plays_in_a_browser(tmp_path: Path) -> None:
    with video_file(tmp_path / "annotated.mp4", 25) as file:
        for number, picture in enumerate(walking(25)):
            file.write(picture, number / 25)
    page = tmp_path / "page.html"
    page.write_text(PAGE)
    (title,) = [
        line.split("<title>")[1].split("</title>")[0]
        for line in browse(page, "--dump-dom").splitlines()
        if "<title>" in line
    ]
    state, width, height, duration, error = map(float, title.split())
    assert error == 0
    assert state >= 3  # HAVE_FUTURE_DATA
    assert (width, height, duration) == (320, 240, 1)
    browse(page, f"--screenshot={tmp_path / 'shot.png'}")
    shot = cv2.imread(str(tmp_path / "shot.png"))
    assert np.std(shot[:200, :300].astype(float)) > 10  # not blank
