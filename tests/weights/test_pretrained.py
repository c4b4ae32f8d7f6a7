"""Published weights: the list, and the way from a mirror into the cache."""

import dataclasses
import http.server
import json
import re
import shutil
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from har.errors import HarError
from har.models import SPNet, registry
from har.weights import (
    create_model,
    infer_config,
    list_models,
    load_keras_h5,
    load_pretrained,
    load_weights,
    open_weights,
    spec_of,
)
from har.weights import pretrained as zoo
from har.weights.built_in import BUILT_IN
from tests.helpers.golden import golden_path

ORIGINAL = "spnet_clip5.h5"
ORIGINAL_MD5 = "d5bba236b6d777e949db0efbb17cd39d"  # of md5sum
# From the papers: network, layout, dimensions, classes, frames of a clip, seconds between them.
# NTU RGB+D: every fourth of 15 frames a second; Penn Action: every sixth of 30.
NETWORKS = {
    "reception_mpii_cvpr18": ("ReceptionNet", "pa16j", 2, 0, 1, None),
    "reception_h36m_cvpr18": ("ReceptionNet", "pa17j", 3, 0, 1, None),
    "merge_penn_cvpr18": ("ActionMergeNet", "pa16j", 2, 15, 16, 0.2),
    "merge_ntu_cvpr18": ("ActionMergeNet", "pa20j", 3, 60, 20, 4 / 15),
    "spnet_penn_tpami20": ("SPNet", "pa16j", 2, 15, 8, 0.2),
    "spnet_ntu_tpami20": ("SPNet", "pa17j", 3, 60, 8, 4 / 15),
}
# Prediction blocks: of poses and of actions (CVPR 2018: four heads a stream and the merged one).
BLOCKS = {
    "reception_mpii_cvpr18": (8, 0),
    "reception_h36m_cvpr18": (8, 0),
    "merge_penn_cvpr18": (1, 9),
    "merge_ntu_cvpr18": (1, 9),
    "spnet_penn_tpami20": (18, 6),
    "spnet_ntu_tpami20": (6, 6),
}


REAL = zoo.PUBLISHED["spnet_ntu_tpami20"]  # tests put another list in its place


def published(**other: object) -> zoo.PublishedWeights:
    """An entry whose file is one of the reference files."""
    real = REAL
    entry = zoo.PublishedWeights(
        file=ORIGINAL,
        url="http://127.0.0.1:9/never",
        md5=ORIGINAL_MD5,
        spec=dataclasses.replace(
            real.spec, name="tiny", arguments=infer_config(golden_path(ORIGINAL)), labels=()
        ),
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
    assert zoo.PUBLISHED.keys() == NETWORKS.keys() == BLOCKS.keys()
    others = {*registry.NETWORKS, *BUILT_IN}
    assert list(NETWORKS) == [name for name in list_models() if name not in others]
    for entry in zoo.PUBLISHED.values():
        assert entry.url.startswith("https://")
        assert entry.url.endswith(entry.file) or entry.md5 is None
        assert entry.md5 is None or re.fullmatch("[0-9a-f]{32}", entry.md5)
        assert entry.spec.published
        assert "academic" in entry.spec.license or "terms of" in entry.spec.license


@pytest.mark.parametrize("name", NETWORKS)
def test_published_networks_are_those_of_the_papers(name: str) -> None:
    spec = zoo.PUBLISHED[name].spec
    kind, layout, dim, classes, frames, pace = NETWORKS[name]
    assert (spec.network, spec.layout, spec.dim, spec.clip_size) == (kind, layout, dim, frames)
    assert spec.resolution == (256, 256)
    assert spec.clip_seconds_between_frames == pytest.approx(pace)
    assert (spec.depth_range_mm is None) == (dim == 2)
    assert len(spec.joint_names) == int(layout[2:4])
    with torch.device("meta"):  # no values
        network = create_model(name)
    assert type(network).__name__ == kind
    assert (network.num_joints, network.dim) == (len(spec.joint_names), dim)
    assert network.num_actions == ((classes,) if classes else ())
    assert (network.num_pose_outputs, network.num_action_outputs) == BLOCKS[name]
    assert network.clip_size in (None, frames)
    read = spec_of(network, **zoo.stated_by(spec))
    assert read.assumed == (() if spec.labels or not classes else ("labels",))
    if classes == 15:
        assert (read.labels[0], read.labels[-1]) == ("baseball_pitch", "tennis_serve")
    if classes == 60:
        assert (read.labels[0], read.labels[-1]) == ("drink water", "walking apart from each other")


def test_the_record_is_in_the_cache(mirror: Path, cache: Path) -> None:
    """And holds for a cached file of 0.1.0, which has none."""
    for _ in range(2):
        opened = open_weights("tiny", mirror)
        spec = opened.spec(opened.load())
        assert (spec.name, spec.data, spec.clip_size) == ("tiny", published().spec.data, 8)
        assert spec.license == published().spec.license
        header = {"har_network": "SPNet", "har_config": json.dumps(dict(opened.arguments))}
        save_file(dict(opened.state), cache / "tiny.safetensors", metadata=header)


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
        ("network not in this version", "no network PoseFormer in this version"),
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
        spec = dataclasses.replace(published().spec, network="PoseFormer")
        monkeypatch.setattr(zoo, "PUBLISHED", {"tiny": published(spec=spec)})
    with pytest.raises(HarError, match=said) as caught:
        load_pretrained(name, mirror=place)
    assert "\n" not in str(caught.value)
    assert contents(cache) == []


def test_a_damaged_file_in_the_cache_is_said(mirror: Path, cache: Path) -> None:
    cache.mkdir()
    (cache / "tiny.safetensors").write_bytes(b"half")
    with pytest.raises(HarError, match=r"tiny\.safetensors is not a complete safetensors file"):
        load_pretrained("tiny", mirror=mirror)
