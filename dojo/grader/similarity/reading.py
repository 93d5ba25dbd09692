"""Has untrusted texts read by a child process, which can be lost."""

from __future__ import annotations

import json
import os
import select
import struct
import subprocess
import sys
from array import array
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from types import TracebackType

from dojo.grader.similarity import reader
from dojo.grader.similarity.reader import MAX_BYTES, NotComparedError

PATIENCE_S = 10
"""For one text. The worst that is read at all takes half a second of an idle machine."""
MOST_LOST = 20
"""Of one run: after so many texts that ended their reader, the rest is not compared."""


@dataclass(frozen=True, slots=True)
class Read:
    """What of a text is compared."""

    symbols: array[int]
    lines: array[int]
    """Of each symbol."""


class Reader:
    """Reads one text at a time, as a context manager; the process is started when it is needed."""

    def __init__(self, command: tuple[str, ...] = ()) -> None:
        # Neither our directory nor the environment says what it imports: we may stand among submissions.
        self._command = command or (sys.executable, "-I", "-S", str(Path(reader.__file__)), str(PATIENCE_S))
        self._process: subprocess.Popen[bytes] | None = None
        self._lost = 0

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def read(self, data: bytes, patience: float = PATIENCE_S) -> Read:
        """Raises NotComparedError with the reason, if the text cannot be compared."""
        if len(data) > MAX_BYTES:
            raise NotComparedError(f"longer than {MAX_BYTES >> 10} KiB")
        if self._lost >= MOST_LOST:
            raise NotComparedError(f"not tried: {MOST_LOST} other files took too long to read")
        try:
            answer = self._ask(data, monotonic() + patience)
        except (OSError, EOFError) as error:
            self._end()
            self._lost += 1
            why = f"took longer than {patience:g} s" if isinstance(error, TimeoutError) else "ended the process"
            raise NotComparedError(f"reading it {why}") from error
        if isinstance(answer, str):
            raise NotComparedError(answer)
        symbols, lines = answer
        return Read(array("I", symbols), array("I", lines))

    def _ask(self, data: bytes, until: float) -> str | list[list[int]]:
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(struct.pack("<I", len(data)) + data)
        process.stdin.flush()
        file = process.stdout.fileno()
        [length] = struct.unpack("<I", _received(file, 4, until))
        answer: str | list[list[int]] = json.loads(_received(file, length, until))
        return answer

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/"
            )
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            try:
                self._process.communicate()
            except OSError:  # what it was still owed
                self._process.wait()
            self._process = None


def _received(file: int, length: int, until: float) -> bytes:
    data = b""
    while len(data) < length:
        ready, _, _ = select.select([file], [], [], max(0.0, until - monotonic()))
        if not ready:
            raise TimeoutError
        part = os.read(file, length - len(data))
        if not part:
            raise EOFError
        data += part
    return data
