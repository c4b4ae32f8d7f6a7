"""Runs the commands of a tutorial and puts what they print below them.

A tutorial is a page of Markdown. Its blocks of ``sh`` and ``python`` are run one after the other in
one folder, ``sh`` by bash and each block of ``python`` by an interpreter of its own. A comment
``<!-- picture: FILE | caption -->`` becomes the picture (or the video) that the commands wrote.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import cv2

BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```\n", re.DOTALL | re.MULTILINE)
PICTURE = re.compile(r"^<!-- picture: (\S+) \| (.*?) -->\n", re.MULTILINE)
MOST_LINES = 90  # of an output
WIDEST = 1600  # pixels of a picture


class TutorialError(RuntimeError):
    """A command of a tutorial has failed, or a picture was not written."""


def run_page(page: Path, folder: Path, pictures: Path) -> tuple[str, float]:
    """The text of a page with the outputs of its commands, and the seconds that they took.

    Args:
        page: the tutorial.
        folder: in which the commands run; kept, so that the next tutorial finds what this one made.
        pictures: gets the pictures, ``<page>_<file>``; it lies beside the folder of the built page.

    Raises:
        TutorialError: see there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()

    def with_output(block: re.Match[str]) -> str:
        output = _run(page, block[1], block[2], folder)
        return f"{block[0]}\n```text\n{output}\n```\n" if output else block[0]

    def with_picture(comment: re.Match[str]) -> str:
        (source, *others) = sorted(folder.glob(comment[1])) or [None]
        if source is None or others:
            raise TutorialError(f"{page}: {comment[1]} is {len(others)} files.")
        name = _show(source, pictures, page.stem)
        target, caption = f"../{pictures.name}/{name}", comment[2]
        if source.suffix == ".mp4":
            video = f'<video src="{target}" controls muted loop playsinline width="100%"></video>'
            return f"{video}\n\n*{caption}*\n"
        return f"![{caption}]({target})\n"

    # in the order of the page: a picture may be written over by a later block
    pieces = re.split(r"(?m)(?=^```(?:sh|python)\n|^<!-- picture: )", page.read_text("utf-8"))
    text = "".join(PICTURE.sub(with_picture, BLOCK.sub(with_output, piece)) for piece in pieces)
    return text, time.monotonic() - start


def _show(source: Path, pictures: Path, prefix: str) -> str:
    """The name under which a picture or video of a tutorial is shown; large pictures are shrunk."""
    pictures.mkdir(parents=True, exist_ok=True)
    picture = None if source.suffix == ".mp4" else cv2.imread(str(source))
    if picture is None or picture.shape[1] <= WIDEST:
        name = f"{prefix}_{source.name}"
        shutil.copyfile(source, pictures / name)
        return name
    height = round(WIDEST * picture.shape[0] / picture.shape[1])
    small = cv2.resize(picture, (WIDEST, height), interpolation=cv2.INTER_AREA)
    name = f"{prefix}_{source.stem}.jpg"
    cv2.imwrite(str(pictures / name), small)
    return name


def _run(page: Path, language: str, code: str, folder: Path) -> str:
    """What a block prints."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "COLUMNS": "80", "PYTHONWARNINGS": "ignore"}
    program = [sys.executable] if language == "python" else ["bash", "-euo", "pipefail"]
    command = [*program, "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        printed = "\n".join((done.stdout + done.stderr).splitlines()[-40:])
        raise TutorialError(f"{page}: this block has failed.\n\n{code}\n{printed}")
    return tidy(done.stdout.replace(f"{folder}/", ""))


def tidy(output: str) -> str:
    """An output without colors, progress, ends of lines, and the middle of what is long."""
    output = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output)
    lines = [line.rsplit("\r", 1)[-1].rstrip() for line in output.split("\n")]
    lines = [line for line in lines if not re.search(r"━ +\d+/\d+|: \d+/\d+$|^ {40,}\S", line)]
    if len(lines) > MOST_LINES:
        half = MOST_LINES // 2
        lines = [*lines[:half], f"... ({len(lines) - 2 * half} lines)", *lines[-half:]]
    return "\n".join(lines).strip("\n")
