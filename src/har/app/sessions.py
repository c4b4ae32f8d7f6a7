"""What the page keeps of its visitors, each in a folder of their own, and when it is removed."""

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from har.app.camera import Camera
from har.app.results import Result


@dataclass
class Session:
    """A visitor.

    Attributes:
        folder: of the files.
        used_s: when something was done last.
        upload: the image or video.
        boxes: a file of boxes for it.
        result: the last one.
        camera: a recording that goes on.
        runs: how many results there were.
        busy: whether a prediction goes on.
        ended: whether the page was closed: a prediction that goes on ends.
    """

    folder: Path
    used_s: float
    upload: Path | None = None
    boxes: Path | None = None
    result: Result | None = None
    camera: Camera | None = None
    runs: int = 0
    busy: bool = False
    ended: bool = False

    def take(self, file: Path, kind: str) -> Path:
        """Moves a file that was uploaded into the folder, in place of the last one of its kind."""
        folder = self.folder / kind
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return Path(shutil.move(file, folder / file.name))

    def new_folder(self) -> Path:
        """Makes the folder of the next result; the last result is removed."""
        self.result = None
        for old in self.folder.glob("result_*"):
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        self.runs += 1
        folder = self.folder / f"result_{self.runs}"
        folder.mkdir(parents=True)
        return folder


class Sessions:
    """All visitors.

    Args:
        root: the folder of their folders.
        keep_s: a visitor who has done nothing for so long is forgotten.
        clock: seconds.
    """

    def __init__(
        self, root: Path, keep_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.root, self._keep_s, self._clock = root, keep_s, clock
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def of(self, name: str) -> Session:
        """Returns the visitor of a name, a new one where there is none."""
        self.end_old()
        with self._lock:
            session = self._sessions.get(name)
            if session is None:
                # a name that nobody guesses: files are served by their paths
                folder = Path(tempfile.mkdtemp(dir=self.root))
                session = self._sessions[name] = Session(folder, self._clock())
            session.used_s = self._clock()
            return session

    @contextmanager
    def busy(self, session: Session) -> Iterator[None]:
        """Keeps a visitor while a prediction goes on; what it has written is removed where the page
        was closed meanwhile."""
        session.busy = True
        try:
            yield
        finally:
            session.busy, session.used_s = False, self._clock()
            if session.ended:
                shutil.rmtree(session.folder, ignore_errors=True)

    def end(self, name: str) -> None:
        """Removes all that is kept of a visitor."""
        with self._lock:
            session = self._sessions.pop(name, None)
        if session is not None:
            session.ended = True
            shutil.rmtree(session.folder, ignore_errors=True)

    def end_old(self) -> None:
        """Removes what is kept of visitors who have done nothing for long."""
        now = self._clock()
        with self._lock:
            waiting = [(n, s) for n, s in self._sessions.items() if not s.busy]
        old = [name for name, session in waiting if now - session.used_s > self._keep_s]
        for name in old:
            self.end(name)
