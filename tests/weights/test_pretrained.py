"""Published weights: the list, and the way from a mirror into the cache."""

import dataclasses
import hashlib
import http.server
import shutil
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch

from har.errors import HarError
from har.models import SPNet
from har.weights import infer_config, load_keras_h5, load_pretrained, load_weights
from har.weights import pretrained as zoo
from tests.helpers.golden import golden_path

ORIGINAL = "spnet_clip5.h5"
REAL_ENTRY = zoo.PUBLISHED["spnet_ntu_tpami20"]


def published(**other: object) -> zoo.PublishedWeights:
    """An entry whose file is one of the reference files."""
    content = golden_path(ORIGINAL).read_bytes()
    entry = dataclasses.replace(
        REAL_ENTRY,
        file=ORIGINAL,
        url="http://127.0.0.1:9/never",
        md5=hashlib.md5(content).hexdigest(),
        config=infer_config(golden_path(ORIGINAL)),
    )
    return dataclasses.replace(entry, **other)


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    folder = tmp_path / "mirror"
    folder.mkdir()
    shutil.copyfile(golden_path(ORIGINAL), folder / ORIGINAL)
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a zoo with the single name ``tiny``."""
    monkeypatch.setenv("HAR_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HAR_WEIGHTS", raising=False)
    monkeypatch.setattr(zoo, "PUBLISHED", {"tiny": published()})
    return tmp_path / "cache"


@pytest.fixture
def server(mirror: Path) -> Iterator[str]:
    """The mirror's address on this machine; ``/cut/`` sends half of a file."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.path.startswith("/cut/"):
                super().do_GET()
                return
            content = (mirror / ORIGINAL).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])

        def log_message(self, *_: object) -> None:
            pass

    def handle(*arguments: object) -> Handler:
        return Handler(*arguments, directory=str(mirror))  # type: ignore[arg-type]

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handle) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def expected_state() -> Mapping[str, torch.Tensor]:
    model = SPNet(**infer_config(golden_path(ORIGINAL)))
    load_keras_h5(model, golden_path(ORIGINAL))
    return model.state_dict()


def assert_loaded(model: torch.nn.Module) -> None:
    state = expected_state()
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert not model.training


def contents(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_every_published_file_is_described() -> None:
    assert len(zoo.PUBLISHED) == 6
    known = {entry.md5 for entry in zoo.PUBLISHED.values()}
    assert {"d6b85ba4b8a3fc9d05c8ad73f763d999", "ff98d70a7f6bc5976cc11c7a5760e8b7"} <= known
    for entry in zoo.PUBLISHED.values():
        assert entry.url.startswith("https://")
        assert entry.url.endswith(entry.file) or entry.md5 is None
        assert entry.figure
        assert "academic" in entry.license or "terms of" in entry.license
        if entry.network == "SPNet":
            model = SPNet(**{**entry.config, "growth": 4})
            assert model.num_action_outputs == 6


def test_a_local_folder_and_the_cache_after_it(mirror: Path, cache: Path) -> None:
    assert_loaded(load_pretrained("tiny", mirror=mirror))
    assert contents(cache) == ["tiny.safetensors"]
    shutil.rmtree(mirror)  # converted once: the original is not asked for again
    assert_loaded(load_pretrained("tiny", mirror=mirror))


@pytest.mark.parametrize("kind", ["folder", "file address", "web address"])
def test_mirrors_by_environment(
    mirror: Path, cache: Path, server: str, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    places = {"folder": str(mirror), "file address": mirror.as_uri(), "web address": server + "/"}
    monkeypatch.setenv("HAR_WEIGHTS", places[kind])
    model = SPNet(**infer_config(golden_path(ORIGINAL)))
    load_weights(model, "tiny")  # by name, as weights=tiny
    assert_loaded(model.eval())
    assert contents(cache) == ["tiny.safetensors"]


def test_without_a_published_checksum(
    server: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files on the shared drive have none: they have to be complete, and of the right network."""
    monkeypatch.setattr(zoo, "PUBLISHED", {"tiny": published(md5=None)})
    with pytest.raises(HarError, match="cannot be downloaded"):
        load_pretrained("tiny", mirror=f"{server}/cut")
    assert contents(cache) == []
    assert_loaded(load_pretrained("tiny", mirror=server))


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("offline", "cannot be downloaded from .* check the connection, or put .* HAR_WEIGHTS"),
        ("not there", r"cannot be downloaded from .*\(HTTPError\)"),
        ("cut off on the way", "cannot be downloaded|MD5 checksum"),
        ("cut off in the folder", "MD5 checksum is not .* cut off or changed"),
        ("changed", "MD5 checksum is not"),
        ("missing in the folder", "is not in .* put it there"),
        ("changed on the server", "MD5 checksum is not"),
        ("unknown name", "no published weights tiny2; choose tiny"),
        ("network not in this version", "for PoseFormer, which this version"),
    ],
)
def test_one_sentence_and_an_untouched_cache(
    mirror: Path,
    cache: Path,
    server: str,
    monkeypatch: pytest.MonkeyPatch,
    case: str,
    said: str,
) -> None:
    name, place, content = "tiny", str(mirror), (mirror / ORIGINAL).read_bytes()
    if case == "offline":
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            place = f"http://127.0.0.1:{closed.getsockname()[1]}"
    elif case == "not there":
        place = f"{server}/nothing"
    elif case == "cut off on the way":
        place = f"{server}/cut"
    elif case == "cut off in the folder":
        (mirror / ORIGINAL).write_bytes(content[:1000])
    elif case in ("changed", "changed on the server"):
        (mirror / ORIGINAL).write_bytes(content + b"x")
        place = server if "server" in case else place
    elif case == "missing in the folder":
        (mirror / ORIGINAL).unlink()
    elif case == "unknown name":
        name = "tiny2"
    else:
        monkeypatch.setattr(zoo, "PUBLISHED", {"tiny": published(network="PoseFormer")})
    with pytest.raises(HarError, match=said) as caught:
        load_pretrained(name, mirror=place)
    assert "\n" not in str(caught.value)
    assert contents(cache) == []


def test_a_damaged_file_in_the_cache_is_said(mirror: Path, cache: Path) -> None:
    cache.mkdir()
    (cache / "tiny.safetensors").write_bytes(b"half")
    with pytest.raises(HarError, match=r"tiny\.safetensors is not a complete safetensors file"):
        load_pretrained("tiny", mirror=mirror)
