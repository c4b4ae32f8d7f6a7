"""Faster ways of computing, against the network as it is."""

import logging
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from har.runtime import torch_runtime
from har.runtime.modes import PLAIN, Mode, fastest_mode
from tests.helpers.networks import action_merge, crops, make_engine, normalized, reception, spnet

EAGER = Mode(compiled=False)


def normalizations(network: nn.Module) -> int:
    return sum(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())


@pytest.mark.parametrize(
    ("network", "left"),
    [
        (reception(), 0),
        (reception(dim=3, old_stem=True), 0),
        (action_merge(), 0),
        (spnet(), None),
        (spnet(downsampling="conv", pose_replica=True), None),
    ],
    ids=["reception 2-D", "reception 3-D", "merge", "spnet", "spnet with all options"],
)
def test_folded_networks_answer_the_same(network: Any, left: int | None) -> None:
    before = normalizations(network)
    folded = network.fuse()
    assert normalizations(network) == before  # the original stays
    assert normalizations(folded) == (left if left is not None else normalizations(folded))
    assert normalizations(folded) < before
    clip = normalized(crops(4))[None]
    with torch.inference_mode():
        expected, answers = network(clip), folded(clip)
    found, all_wanted = answers.poses + answers.actions, expected.poses + expected.actions
    for values, wanted in zip(found, all_wanted, strict=True):
        scale = wanted.abs().amax().clamp(min=1)  # raw confidences are not bounded
        assert ((values - wanted).abs().max() / scale) <= 1e-5


def test_what_stays_behind_a_convolution_is_read_by_others_too() -> None:
    """Seen from outside: which normalizations are handed a convolution's very output."""
    network = spnet()
    folded = network.fuse()
    convolved: list[torch.Tensor] = []
    found: list[str] = []
    for name, layer in folded.named_modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda _, __, output: convolved.append(output))
        elif isinstance(layer, nn.BatchNorm2d):
            layer.register_forward_pre_hook(
                lambda _, inputs, name=name: (
                    found.append(name) if any(inputs[0] is x for x in convolved) else None
                )
            )
    with torch.inference_mode():
        folded(normalized(crops(4))[None])
    # Only the prediction blocks that feed back, which add the convolution itself as well.
    assert sorted(found) == sorted(
        f"pose.blocks.{name}.bn2" for name, block in network.pose.blocks.items() if block.feeds_back
    )


def test_low_precision_leaves_softmax_and_places_in_float32() -> None:
    """bfloat16 knows 256 values between 0.5 and 1: places computed in it would repeat."""
    low = Mode(precision=torch.bfloat16, compiled=False)
    exact, near = (
        make_engine(spnet(), mode).forward_frames(crops(8)).poses for mode in (PLAIN, low)
    )
    assert np.abs(exact - near)[..., :2].mean() * 256 <= 0.5
    places = near[..., :2].ravel()
    rounded = torch.from_numpy(places).bfloat16().float().numpy()
    assert np.mean(rounded == places) < 0.1


def test_a_handful_of_frames_is_not_worth_compiling(caplog: pytest.LogCaptureFixture) -> None:
    engine = make_engine(spnet(), Mode(), batch_size=2, num_frames=12)
    with caplog.at_level(logging.INFO):
        engine.forward_frames(crops(12))
    lines = [record.message for record in caplog.records if "har" in record.name]
    assert len(lines) == 1
    assert "Not compiled: 12 frames" in lines[0]


def test_long_work_is_compiled_and_odd_batches_are_filled_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Stands in for the compiler, which takes a minute: what it is given, and how often."""
    sizes: list[int] = []

    def compiler(part: nn.Module, **_: Any) -> Any:
        def compiled(images: torch.Tensor) -> Any:
            sizes.append(len(images))
            return part(images)

        return compiled

    monkeypatch.setattr(torch, "compile", compiler)
    monkeypatch.setitem(torch_runtime._COSTS, "cpu", torch_runtime._Cost(0.0, 0.35))
    engine = make_engine(spnet(), Mode(), batch_size=4, num_frames=10**6)
    result = engine.forward_frames(crops(23))
    assert sizes == [4, 4, 4, 4, 4]  # once to compile, then batches 3 to 5, then the last three
    expected = make_engine(spnet()).forward_frames(crops(23))
    np.testing.assert_allclose(result.poses, expected.poses, atol=1e-5)
    assert len(result.features) == 23
    engine.forward_frames(crops(1))
    assert len(sizes) == 5  # one frame is not worth a batch of four


def test_a_compiler_that_fails_costs_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no C++ compiler found\nand much more")

    monkeypatch.setattr(torch, "compile", broken)
    engine = make_engine(spnet(), Mode(), batch_size=2)
    with caplog.at_level(logging.WARNING):
        assert not engine.compile()
        assert not engine.compile()  # asked once, not again and again
    assert [r.message for r in caplog.records] == [
        "torch.compile does not work here (RuntimeError: no C++ compiler found): the network "
        "runs without it."
    ]
    assert engine.forward_frames(crops(3)).poses.shape == (3, 17, 4)


@pytest.mark.slow
def test_compiled_networks_answer_the_same() -> None:
    engine = make_engine(spnet(growth=8, num_levels=2), Mode(), batch_size=2)
    assert engine.compile()
    expected = make_engine(spnet(growth=8, num_levels=2)).forward_frames(crops(3))
    result = engine.forward_frames(crops(3))
    np.testing.assert_allclose(result.poses, expected.poses, atol=1e-5)
    np.testing.assert_allclose(
        engine.classify_clips(result.features), engine.classify_clips(expected.features), atol=1e-5
    )


def test_precision_follows_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert fastest_mode(cpu).precision == torch.bfloat16
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    assert fastest_mode(cpu).precision == torch.float32
