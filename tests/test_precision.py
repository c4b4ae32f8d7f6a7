"""The precision that is chosen where the configuration leaves it to the hardware."""

import pytest
import torch

from har.precision import has_fast_bfloat16, trainer_precision


@pytest.mark.parametrize("there", [True, False])
def test_low_precision_only_where_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    flags = {"avx2": True, "avx512_bf16": there, "cpu_name": "some"}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags, raising=False)
    assert has_fast_bfloat16("cpu") == there
    assert trainer_precision("auto", "cpu") == ("bf16-mixed" if there else "32-true")


def test_what_is_asked_for_is_kept() -> None:
    assert trainer_precision("16-mixed", "cpu") == "16-mixed"
    assert trainer_precision(64, "auto") == 64


def test_an_unknown_device_computes_in_float32() -> None:
    assert not has_fast_bfloat16("meta")
