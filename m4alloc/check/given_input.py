"""Standard input for a program that is run several times: whatever the first run was given, the others get too."""

from __future__ import annotations

import os
import select
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Input:
    """first: the descriptor for the first run. again: a file that every later run reads from its start.

    settle: to be called after the first run; from then on `again` does not change.
    """

    first: int
    again: IO[bytes]
    settle: Callable[[], None] = lambda: None


@contextmanager
def repeatable(stdin: IO[bytes] | None) -> Iterator[Input]:
    """Input for several runs.

    None: all read nothing. A terminal: the first run has it, the others read nothing. A file: all read it from where
    it stands. A pipe: the first run reads it as it comes, the others what had come until the first ended.
    """
    with Path(os.devnull).open("rb") as null, tempfile.TemporaryFile() as copy:
        if stdin is None:
            yield Input(null.fileno(), null)
        elif stdin.isatty():
            yield Input(stdin.fileno(), null)
        elif stdin.seekable() and stdin.tell() == 0:
            yield Input(stdin.fileno(), stdin)
        elif stdin.seekable():
            shutil.copyfileobj(stdin, copy)
            copy.seek(0)
            yield Input(copy.fileno(), copy)
        else:
            pump = _Pump(stdin.fileno(), copy)
            try:
                yield Input(pump.read_end, copy, pump.stop)
            finally:
                pump.stop()


class _Pump:
    """A pipe that carries what comes from `source` as it comes, and keeps a copy.

    A pipe that nobody closes must not hold up a program that never looks at its input: nothing here waits for the
    source to end.
    """

    def __init__(self, source: int, copy: IO[bytes]) -> None:
        self.read_end, self._write_end = os.pipe()
        self._stopped, self._stop = os.pipe()
        os.set_blocking(self._write_end, False)
        self._thread: threading.Thread | None = threading.Thread(target=self._run, args=(source, copy), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Carry nothing more; the copy is complete. A second call does nothing."""
        if self._thread is not None:
            os.close(self._stop)
            self._thread.join()
            self._thread = None
            os.close(self._stopped)
            os.close(self.read_end)

    def _run(self, source: int, copy: IO[bytes]) -> None:
        pending = b""
        try:
            while True:
                wanted = [self._stopped] if pending else [self._stopped, source]
                readable, _, _ = select.select(wanted, [self._write_end] if pending else [], [])
                if self._stopped in readable:
                    return
                if pending:
                    pending = pending[os.write(self._write_end, pending) :]
                    continue
                pending = os.read(source, BLOCK)
                if not pending:
                    return
                copy.write(pending)
                copy.flush()
        except BrokenPipeError:
            return
        finally:
            os.close(self._write_end)
