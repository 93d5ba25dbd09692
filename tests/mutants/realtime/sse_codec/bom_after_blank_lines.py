"""A BOM is dropped from the first line with something in it, blank lines before it or not.

Trap: bom
Rule: 13
"""

import codecs
import re
from dataclasses import dataclass

LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Event:
    data: str
    event: str = "message"
    id: str = ""


def encode(data=None, *, event=None, id=None, retry=None):
    for name, value in (("event", event), ("id", id)):
        if value is not None and LINE_END.search(value):
            raise ValueError(f"{name} must be one line, not {value!r}")
    if id is not None and "\0" in id:
        raise ValueError(f"id must have no NUL: {id!r}")
    if retry is not None and retry < 0:
        raise ValueError(f"retry must not be negative: {retry}")
    block = ""
    if event is not None:
        block += f"event: {event}\n"
    if id is not None:
        block += f"id: {id}\n"
    if retry is not None:
        block += f"retry: {retry}\n"
    if data is not None:
        for line in LINE_END.split(data):
            block += f"data: {line}\n"
    return f"{block}\n".encode()


def comment(text=""):
    return "".join(f": {line}\n" for line in LINE_END.split(text)).encode()


class Parser:
    def __init__(self):
        self.last_event_id = ""
        self.retry = None
        self.end()

    def end(self):
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.begun = False
        self.rest = ""
        self.after_cr = False
        self.data = []
        self.event = ""
        self.id = self.last_event_id

    def feed(self, chunk):
        text = self.decoder.decode(chunk)
        if text:
            after_cr, self.after_cr = self.after_cr, text.endswith("\r")
            if after_cr:
                text = text.removeprefix("\n")
        *lines, self.rest = LINE_END.split(self.rest + text)
        events = []
        for line in lines:
            if line and not self.begun:
                line = line.removeprefix("\ufeff")
                self.begun = True
            if line:
                self.field(line)
            else:
                events += self.block()
        return events

    def field(self, line):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self.data.append(value)
        elif name == "event":
            self.event = value
        elif name == "id":
            if "\0" not in value:
                self.id = value
        elif name == "retry" and re.fullmatch("[0-9]{1,15}", value):
            self.retry = int(value)

    def block(self):
        self.last_event_id = self.id
        data, event = self.data, self.event
        self.data, self.event = [], ""
        if not data:
            return []
        return [Event("\n".join(data), event or "message", self.id)]
