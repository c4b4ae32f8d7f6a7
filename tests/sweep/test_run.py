"""The command without what it needs."""

import pytest

from har.errors import HarError
from har.sweep.run import sweep
from tests.helpers.commands import compose


def test_without_optuna_the_line_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("har.sweep.run.find_spec", lambda name: None)
    with pytest.raises(HarError, match=r"^A sweep needs Optuna: pip install 'optuna>="):
        sweep(compose("sweep", ["experiment=demo", "hparams_search=demo"]))
