"""A folder of own clips that several test files read."""

from pathlib import Path

import pytest

from tests.helpers.ntu_files import write_skeleton
from tests.helpers.own_clips import prepare, write_clip


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes, some clips with skeletons, and what can be wrong with files."""
    root = tmp_path_factory.mktemp("own") / "my actions"
    for i in range(5):
        write_clip(root / "wave hands" / f"clip {i}.mp4")
        write_clip(root / "jümp" / "anna" / f"é{i}.avi")
    for i in range(3):
        write_skeleton(root / "wave hands" / f"clip {i}.skeleton", 12)
    (root / "jümp" / "empty.mp4").touch()
    (root / "jümp" / "junk.mov").write_bytes(b"no video at all" * 100)
    write_clip(root / "wave hands" / "torn.mp4")
    write_skeleton(root / "wave hands" / "torn.skeleton", 12)
    text = (root / "wave hands" / "torn.skeleton").read_bytes()
    (root / "wave hands" / "torn.skeleton").write_bytes(text[: len(text) // 2])
    (root / "wave hands" / "notes.txt").write_text("not a clip")
    prepare(root)
    return root
