"""sse-starlette writes, httpx-sse reads: what the two libraries do, with as little around them as there can be.

Design: library
Breaks: 3, 9, 10, 11, 12, 14, 15, 16, 18 because of what the libraries do.
    sse-starlette deletes line breaks from type and id instead of refusing them, and writes a NUL and a negative retry.
    httpx-sse takes a block without data for an event as soon as there is an id or a type, makes an id count with its
    line, takes whatever `int` takes for a retry, and holds a CR back until the next byte.
"""

import codecs
from dataclasses import dataclass

from httpx_sse._decoders import SSEDecoder, SSELineDecoder
from sse_starlette.event import ServerSentEvent


@dataclass
class Event:
    data: str
    event: str = "message"
    id: str = ""


def encode(data=None, *, event=None, id=None, retry=None):
    return ServerSentEvent(data, event=event, id=id, retry=retry).encode()


def comment(text=""):
    return ServerSentEvent(comment=text).encode()


class Parser:
    def __init__(self):
        self.retry = None
        self.last_event_id = ""
        self.end()

    def end(self):
        self.text = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self.lines = SSELineDecoder()
        self.events = SSEDecoder()
        self.events._last_event_id = self.last_event_id

    def feed(self, chunk):
        heard = []
        for line in self.lines.decode(self.text.decode(chunk)):
            event = self.events.decode(line)
            self.last_event_id = self.events._last_event_id
            if self.events._retry is not None:
                self.retry = self.events._retry
            if event is not None:
                heard.append(Event(event.data, event.event, event.id))
        return heard
