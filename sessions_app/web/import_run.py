"""The import that this server runs in the background: one at a time, which a page can watch and cancel."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from contextvars import copy_context
from pathlib import Path

from django.db import connections

from sessions_app.errors import StoreError
from sessions_app.integrations.importing import Progress, Summary, import_paths

log = logging.getLogger(__name__)


class ImportRun:
    """`progress` and `summary` may be read from any thread; `error` is a sentence."""

    def __init__(self, paths: Iterable[Path]):
        self.paths = list(paths)
        self.progress: Progress | None = None
        self.summary: Summary | None = None
        self.error = ""
        self._cancelled = threading.Event()
        self._since = time.monotonic()
        # A thread that ends with the server may be cut off at any point: each batch is one transaction, and the next
        # import goes on behind the last.
        work = copy_context().run
        self._thread = threading.Thread(target=work, args=(self._work,), name="import", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    @property
    def cancelling(self) -> bool:
        return self.running and self._cancelled.is_set()

    def cancel(self) -> None:
        """The batch that is being written is kept; import again to go on."""
        self._cancelled.set()

    def wait(self, timeout: float) -> None:
        self._thread.join(timeout)

    @property
    def rate(self) -> float:
        """Bytes a second, unchanged files among them."""
        return self.progress.bytes / max(time.monotonic() - self._since, 0.001) if self.progress else 0.0

    @property
    def remaining(self) -> float | None:
        """Seconds, or None while it is too early to say."""
        if not self.progress or time.monotonic() - self._since < 1 or not self.rate:
            return None
        return (self.progress.bytes_total - self.progress.bytes) / self.rate

    def _work(self) -> None:
        try:
            self.summary = import_paths(self.paths, progress=self._report, cancelled=self._cancelled.is_set)
        except (StoreError, OSError) as error:
            self.error = str(error)
        except Exception:
            log.exception("The import failed.")
            self.error = "The import failed; the server’s log says why. What was imported before it failed is kept."
        finally:
            connections.close_all()

    def _report(self, progress: Progress) -> None:
        self.progress = progress


_lock = threading.Lock()
_current: ImportRun | None = None


def current() -> ImportRun | None:
    """The import that runs, or else the last one since the server was started."""
    return _current


def start(paths: Iterable[Path]) -> ImportRun:
    """Start an import, unless one runs: then that one is returned."""
    global _current
    with _lock:
        if _current is None or not _current.running:
            _current = ImportRun(paths)
            _current.start()
        return _current
