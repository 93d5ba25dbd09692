"""Server-sent events that survive the network: the encoder of a server and the parser of a client.

Source: WHATWG HTML standard, "Server-sent events", sections "Parsing an event stream" and "Interpreting an event
stream", for the format `text/event-stream`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """What a client hears: one block of the stream that had data."""

    data: str
    event: str = "message"
    #: The last event id of the stream when this event came: its own id, or else that of an earlier block.
    id: str = ""


def encode(
    data: str | None = None, *, event: str | None = None, id: str | None = None, retry: int | None = None
) -> bytes:
    """One complete block of an event stream, in UTF-8, with the blank line that ends it.

    `data` may have several lines; CR, LF and CRLF all arrive as LF, and anything else arrives as it is. `retry` is in
    milliseconds. What is None is not written: without `data` the client hears no event, but takes `id` and `retry`.

    Raises ValueError if `event` or `id` contains CR or LF, if `id` contains NUL, if `retry` is negative, and for
    a lone surrogate, which UTF-8 cannot express.
    """
    raise NotImplementedError("encode is yours to write; start with rule 1 of README.md")


def comment(text: str = "") -> bytes:
    """Complete lines that every client ignores, at least one, in UTF-8: what keeps an idle connection open.

    `text` may have several lines. It goes between two blocks.
    """
    raise NotImplementedError("comment is yours to write; start with rule 4 of README.md")


class Parser:
    """The events of a byte stream, as they become complete, over one connection or several in turn."""

    #: What the next connection has to send as `Last-Event-ID`; at first "".
    last_event_id: str
    #: How many milliseconds to wait before the next connection; None until the server has said so.
    retry: int | None

    def __init__(self) -> None:
        raise NotImplementedError("Parser.__init__ is yours to write; start with rule 5 of README.md")

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes, oldest first. It may end anywhere, or be empty; it raises nothing."""
        raise NotImplementedError("Parser.feed is yours to write; its rules stand in README.md")

    def end(self) -> None:
        """The connection has ended: its unfinished block is void, and the next chunk begins a new stream."""
        raise NotImplementedError("Parser.end is yours to write; its rules stand in README.md")
