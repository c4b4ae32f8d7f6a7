"""Paths as people give them, of which some cannot even be looked at.

``Path.exists`` raises where a folder above may not be entered or a name is longer than the system
allows; for most questions such a path leads nowhere, and what opens it says why.
"""

import os
from pathlib import Path

from har.errors import HarError


def exists(path: str | Path) -> bool:
    """Whether a path leads to a file or folder that can be looked at."""
    return os.path.exists(path)


def is_file(path: str | Path) -> bool:
    """Whether a path leads to a file that can be looked at."""
    return os.path.isfile(path)


def is_folder(path: str | Path) -> bool:
    """Whether a path leads to a folder that can be looked at."""
    return os.path.isdir(path)


def check_path(path: str | Path) -> None:
    """Looks at a path, which need not be there.

    Raises:
        HarError: it cannot be looked at: no permission, or a name that the system does not allow.
    """
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise HarError(f"{path} cannot be opened: {error.strerror}.") from error
    except ValueError as error:  # a zero byte
        raise HarError(f"{str(path)!a} cannot be the name of a file ({error}).") from error
