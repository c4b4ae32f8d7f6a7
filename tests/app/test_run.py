"""The command without what it needs."""

import pytest

from har.app.run import serve
from har.errors import HarError
from tests.helpers.commands import compose


def test_without_gradio_the_line_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("har.app.run.find_spec", lambda name: None)
    with pytest.raises(HarError, match=r"^The page needs gradio: pip install 'gradio>=6"):
        serve(compose("app", []))
