"""The record of a network: what it works out itself."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.helpers.red_person import INFO

CONFIDENCES = arrays(np.float32, (3, 17), elements=st.floats(0, 1, width=32))


@given(confidence=CONFIDENCES, surest=st.integers(1, 17))
def test_a_person_is_as_sure_as_the_surest_joints(confidence: np.ndarray, surest: int) -> None:
    certainty = replace(INFO, certain_joints=surest).certainty(confidence)
    for found, joints in zip(certainty, confidence.tolist(), strict=True):
        wanted = sum(sorted(joints, reverse=True)[:surest]) / surest
        assert abs(found - wanted) < 1e-6


@given(confidence=CONFIDENCES)
def test_all_joints_count_unless_it_is_stated(confidence: np.ndarray) -> None:
    np.testing.assert_allclose(INFO.certainty(confidence), confidence.mean(-1), atol=1e-6)
