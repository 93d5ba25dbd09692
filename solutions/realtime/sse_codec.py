"""Server-sent events that survive the network: the encoder of a server and the parser of a client.

Source: WHATWG HTML standard, "Server-sent events", sections "Parsing an event stream" and "Interpreting an event
stream", for the format `text/event-stream`.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

# Not str.splitlines(): that ends lines at U+2028, U+0085, form feeds and more, and JSON may hold all of these.
_LINE_END = re.compile(r"\r\n|\r|\n")

# Years of milliseconds. int() itself refuses 4,301 digits with an exception.
_MOST_DIGITS = 15


@dataclass(frozen=True)
class Event:
    """What a client hears: one block of the stream that had data."""

    data: str
    event: str = "message"
    #: The last event id of the stream when this event came: its own id, or else that of an earlier block.
    id: str = ""


# stub: rule 1
def encode(
    data: str | None = None, *, event: str | None = None, id: str | None = None, retry: int | None = None
) -> bytes:
    """One complete block of an event stream, in UTF-8, with the blank line that ends it.

    `data` may have several lines; CR, LF and CRLF all arrive as LF, and anything else arrives as it is. `retry` is in
    milliseconds. What is None is not written: without `data` the client hears no event, but takes `id` and `retry`.

    Raises ValueError if `event` or `id` contains CR or LF, if `id` contains NUL, if `retry` is negative, and for
    a lone surrogate, which UTF-8 cannot express.
    """
    lines: list[str] = []
    for name, value in ("event", event), ("id", id):
        if value is not None:
            if _LINE_END.search(value):
                raise ValueError(f"{name} must be a single line, got {value!r}: a line break would begin a new field")
            lines.append(f"{name}: {value}")
    if id is not None and "\0" in id:
        raise ValueError(f"id must have no NUL, got {id!r}: clients ignore such an id")
    if retry is not None:
        if retry < 0:
            raise ValueError(f"retry is a number of milliseconds, 0 or more; got {retry!r}")
        lines.append(f"retry: {retry}")
    if data is not None:
        lines += [f"data: {line}" for line in _LINE_END.split(data)]
    return "".join(f"{line}\n" for line in [*lines, ""]).encode()


# stub: rule 4
def comment(text: str = "") -> bytes:
    """Complete lines that every client ignores, at least one, in UTF-8: what keeps an idle connection open.

    `text` may have several lines. It goes between two blocks.
    """
    return "".join(f": {line}\n" for line in _LINE_END.split(text)).encode()


class Parser:
    """The events of a byte stream, as they become complete, over one connection or several in turn."""

    #: What the next connection has to send as `Last-Event-ID`; at first "".
    last_event_id: str
    #: How many milliseconds to wait before the next connection; None until the server has said so.
    retry: int | None

    _after_cr: bool

    # stub: rule 5
    def __init__(self) -> None:
        self.last_event_id = ""
        self.retry = None
        self.end()

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes, oldest first. It may end anywhere, or be empty; it raises nothing."""
        text = self._decoder.decode(chunk)
        if not text:
            return []
        # A CR ends its line at once, or a live stream would wait for the next event's first byte. So the LF that
        # belongs to it may come later.
        unread = text.removeprefix("\n") if self._after_cr else text
        self._after_cr = text.endswith("\r")
        events: list[Event] = []
        *endings, rest = _LINE_END.split(unread)
        for ending in endings:
            self._line.append(ending)
            line = "".join(self._line)
            self._line.clear()
            if line:
                self._field(line)
            else:
                events += self._block()
        self._line.append(rest)
        return events

    def end(self) -> None:
        """The connection has ended: its unfinished block is void, and the next chunk begins a new stream."""
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._after_cr = False
        self._line: list[str] = []  # parts, so that a long line in small chunks is joined once
        self._data: list[str] = []
        self._event = ""
        # The id of a void block is void too. With it, the next request would ask for what comes after an event
        # that nobody has seen.
        self._id = self.last_event_id

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")  # a comment is a field without a name
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and re.fullmatch(rf"[0-9]{{1,{_MOST_DIGITS}}}", value):
            self.retry = int(value)

    def _block(self) -> list[Event]:
        """The event of the block that ends here, if it had a data line."""
        self.last_event_id = self._id
        data, event = self._data, self._event
        self._data, self._event = [], ""
        return [Event("\n".join(data), event or "message", self._id)] if data else []
