"""A network that finds red persons, in place of the one that the command would load."""

import pytest

from har.runtime.engine import Engine
from tests.helpers.red_person import red_engine


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    engine = red_engine()
    monkeypatch.setattr("har.runtime.loading.load_engine", lambda *_, **__: engine)
    return engine
