"""The configuration inside a checkpoint of version 0.1.0, in today's terms."""

from collections.abc import Mapping
from typing import Any

from har.errors import HarError

# Names of 0.1.0 in configurations, and today's.
_KEYS = {"colour_powers": "gammas"}
# Where the classes of a checkpoint's configuration may come from: it is no way to run other code.
_ROOMS = ("har.models.", "har.modules.", "har.data.", "torch.optim.")


def translate(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration, with the keys and classes of 0.1.0 under the names that they have now.

    Raises:
        HarError: it builds objects of classes that are not those of a run's network, module or
            data; a checkpoint from elsewhere must not run code.
    """
    target = config.get("_target_")
    if target is not None and not str(target).startswith(_ROOMS):
        raise HarError(
            f"The checkpoint names the class {target}, which is none of har: name an "
            "experiment that states network and data, experiment=<name>."
        )
    return {_KEYS.get(key, key): _translated(value) for key, value in config.items()}


def _translated(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_translated(item) for item in value]
    return translate(value) if isinstance(value, Mapping) else value
