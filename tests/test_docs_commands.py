"""No command of the documentation is there that nothing runs: lines of a shell are composed
(test_docs.py), run by the build of the site, or run or checked here, and all Python is run."""

import importlib.metadata
import re
import subprocess
import tomllib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from docs.tools.build import EXECUTED

import har.weights
from har.models import ReceptionNet
from har.prediction.predictor import Predictor
from tests.helpers.red_person import red_engine, walking, write_video

ROOT = Path(__file__).parents[1]
TUTORIALS = {ROOT / "docs" / "tutorials" / f"{name}.md" for name in EXECUTED}  # the build runs them
PAGES = [page for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")] if page not in TUTORIALS]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


def blocks(*languages: str) -> list[tuple[str, str]]:
    """Page and text of the blocks of code in some languages."""
    return [
        (page.relative_to(ROOT).as_posix(), text)
        for page in sorted(PAGES)
        for language, text in _BLOCK.findall(page.read_text("utf-8"))
        if language in languages
    ]


# --------------------------------------------------------------------------------- of the shell


def installs_an_extra(extras: str) -> bool:
    return set(extras.split(",")) <= PROJECT["optional-dependencies"].keys()


def installs_a_package(name: str) -> bool:
    extras = PROJECT["optional-dependencies"].values()
    return any(entry.startswith(name) for extra in extras for entry in extra)


def is_a_file(name: str) -> bool:
    return (ROOT / name).is_file()


def is_a_program(name: str) -> bool:
    return bool(importlib.metadata.entry_points(group="console_scripts", name=name))


# What a line may be besides a command of har, which is composed, with a check of the word in it.
CHECKED: dict[str, Callable[[str], bool]] = {
    r"make [a-z]+": lambda _: True,  # test_docs.py
    r"pip install -e '\.\[([\w,]+)\]'": installs_an_extra,
    r"pip install ([\w-]+)": installs_a_package,
    r"python3 -m venv \.venv && \.venv/bin/pip install .* -c (\S+)": is_a_file,
    r"source \.venv/bin/activate": lambda _: True,
    r"\.venv/bin/(tensorboard --logdir outputs|pre-commit install)": lambda words: is_a_program(
        words.split()[0]
    ),
    r"python (benchmarks/\w+\.py) .*": is_a_file,
    r"HAR_KILLED_VIDEOS=300 python -m pytest -s (\S+)": is_a_file,
    r"for s in 0 1 2; do|done": lambda _: True,
}


def test_every_line_of_a_shell_is_run_composed_or_checked() -> None:
    unknown = []
    for page, text in blocks("sh", "bash"):
        if (page, text) in LOOPS:
            continue
        for line in re.sub(r"\\\n\s*", "", text).splitlines():
            command = line.split(" #")[0].strip()
            if not command or "-m har." in command or command.startswith("#"):
                continue
            for pattern, check in CHECKED.items():
                match = re.fullmatch(pattern, command)
                if match is not None and check(match[match.lastindex or 0]):
                    break
            else:
                unknown.append(f"{page}: {command}")
    assert unknown == []


LOOPS = [(page, text) for page, text in blocks("bash") if "basename" in text]


def test_the_loop_that_sorts_clips_into_classes(tmp_path: Path) -> None:
    ((_, text),) = LOOPS
    raw = tmp_path / "data" / "raw" / "ntu" / "nturgb+d_rgb"
    raw.mkdir(parents=True)
    for person in (8, 9):
        for action in (10, 23, 26, 27):
            (raw / f"S001C001P{person:03d}R001A{action:03d}_rgb.avi").touch()
    script = f"python() {{ :; }}\n{text}"
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, check=True)
    own = tmp_path / "data" / "own"
    assert sorted(path.name for path in own.iterdir() if path.is_dir()) == [
        "clapping",
        "hand waving",
        "hopping",
        "jump up",
    ]
    assert (own / "jump up" / "S001C001P009R001A027.avi").is_file()
    tests = (own / "test.txt").read_text("utf-8").splitlines()
    assert len(tests) == 4
    assert all((own / name).is_file() and "P008" in name for name in tests)


# ----------------------------------------------------------------------------------- of Python


@dataclass(frozen=True)
class Example:
    """How a block of Python is run here.

    Attributes:
        word: that only this block of its page has.
        check: looks at the names that there are afterwards.
        stand_ins: names that the block expects, made for the working folder.
        instead: what is written in place of a word, where the page names what is not here.
    """

    word: str
    check: Callable[[dict[str, Any]], bool]
    stand_ins: Callable[[Path], dict[str, Any]] = lambda _: {}
    instead: dict[str, str] = field(default_factory=dict)


def cats(folder: Path) -> dict[str, Any]:
    joints = np.array([[30.0, 20], [20, 10], [40, 10], [np.nan, np.nan]])
    rows = [(f"{n}", f"{n}.jpg", joints + n, np.array([10.0, 5, 90, 45]), "train") for n in (1, 2)]
    return {"my_rows": lambda data_dir: rows}


def puppets(folder: Path) -> dict[str, Any]:
    videos = [write_video(folder / f"{n}.avi", walking(20)) for n in (1, 2)]
    clips = [(v.stem, "hop", "train", v, np.full((20, 1, 3, 2), 50.0)) for v in videos]
    return {"output": folder / "prepared", "clips": clips}


CHECKPOINT = '"outputs/demo/<time>/checkpoints/last.ckpt"'
FIRST = Example("Predictor.from_pretrained()", lambda names: "poses" in names["result"].to_dict())
EXAMPLES = {
    "README.md": [
        FIRST,
        Example(
            "reception_mpii_cvpr18",
            lambda names: names["poses"].shape == (2, 16, 3),
            lambda _: {"images": torch.zeros(2, 3, 256, 256)},
        ),
        Example(
            "import SPNet",
            lambda names: (
                names["out"].poses[-1].shape == (1, 8, 17, 4)
                and names["out"].actions[-1].shape == (1, 60)
            ),
        ),
        Example(
            "import create_model",
            lambda names: names["logits"][-1].shape == (1, 12),
            lambda _: {"torch": torch},
        ),
    ],
    "docs/index.md": [FIRST],
    "docs/predict.md": [
        Example(
            "from_pretrained",
            lambda names: len(names["result"].poses) == 40,
            lambda _: {"red_engine": red_engine},
            instead={f".from_pretrained({CHECKPOINT})": "(red_engine())"},
        ),
        Example(
            "predictor.stream()",
            lambda names: names["result"].actions.top(1)[0].label == "waving",
            lambda _: {"predictor": Predictor(red_engine())},
            instead={"Video(0)": 'Video("clip.mp4")'},
        ),
    ],
    "docs/data.md": [
        Example(
            "read_cats",
            lambda names: len(names["read_cats"](Path("cats")).rows) == 2,
            cats,
        ),
        Example(
            "PreparedFolder",
            lambda names: names["report"].done == 2 and (names["output"] / "index.h5").is_file(),
            puppets,
            instead={"workers=4": "workers=0"},
        ),
    ],
}


def test_every_block_of_python_is_an_example_here() -> None:
    found = Counter(page for page, _ in blocks("python", "py"))
    assert found == {page: len(examples) for page, examples in EXAMPLES.items()}


@pytest.mark.parametrize(
    ("page", "example"),
    [(page, example) for page, examples in EXAMPLES.items() for example in examples],
    ids=lambda value: value if isinstance(value, str) else value.word,
)
def test_python_runs(
    page: str, example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (text,) = (text for name, text in blocks("python") if name == page and example.word in text)
    for name in ("clip.mp4", "video.mp4"):
        write_video(tmp_path / name, walking(40, action=1))
    monkeypatch.chdir(tmp_path)
    # published files are not here: their network with other weights
    published = ReceptionNet(num_joints=16, dim=2, num_blocks=2).eval()
    monkeypatch.setattr(har.weights, "load_network", {"reception_mpii_cvpr18": published}.get)
    monkeypatch.setattr("har.runtime.loading.openvino_is_here", lambda: False)  # starts sooner
    for word, other in example.instead.items():
        assert word in text
        text = text.replace(word, other)
    names = example.stand_ins(tmp_path)
    exec(compile(text, page, "exec"), names)
    assert example.check(names)
