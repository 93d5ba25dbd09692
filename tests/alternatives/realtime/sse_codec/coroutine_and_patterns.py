"""A generator that is sent one line after the other, and a buffer of bytes that patterns take complete lines from.

Design: coroutine, regular expressions over bytes
Breaks: none
"""

import io
import re
from types import SimpleNamespace

LINE = re.compile(rb"([^\r\n]*)(\r\n|\r|\n)")
FIELD = re.compile("(data|event|id|retry)(?:: ?(.*))?", re.DOTALL)


def Event(data, event="message", id=""):
    return SimpleNamespace(data=data, event=event, id=id)


def one_line(name, value, forbidden):
    if re.search(forbidden, value):
        raise ValueError(f"{name} {value!r} would break the stream")
    return f"{name}: {value}\n"


def encode(data=None, *, event=None, id=None, retry=None):
    block = io.StringIO(newline="")
    if retry is not None:
        if int(retry) < 0:
            raise ValueError(f"retry {retry} is in the past")
        block.write(f"retry:{retry:d}\n")
    if id is not None:
        block.write(one_line("id", id, "[\r\n\0]"))
    if event is not None and event != "message":
        block.write(one_line("event", event, "[\r\n]"))
    if data is not None:
        # Universal newlines: the io module knows the same three line ends, and no others.
        text = io.StringIO(data, newline=None).getvalue()
        block.write("data: " + text.replace("\n", "\ndata: ") + "\n")
    block.write("\n")
    return str.encode(block.getvalue(), "utf-8", "strict")


def comment(text=""):
    text = io.StringIO(text, newline=None).getvalue()
    return (":" + text.replace("\n", "\n:") + "\n").encode("utf-8", "backslashreplace")


class Parser:
    last_event_id = ""
    retry = None

    def __init__(self):
        self.end()

    def end(self):
        self._buffer = b""
        self._begun = False
        self._after_cr = False
        self._lines = self._blocks()
        next(self._lines)

    def feed(self, chunk):
        self._buffer += chunk
        if not self._begun:
            if len(self._buffer) < 3 and b"\xef\xbb\xbf".startswith(self._buffer):
                return []
            self._begun = True
            self._buffer = re.sub(rb"\A\xef\xbb\xbf", b"", self._buffer)
        events = []
        while self._buffer:
            if self._after_cr:
                self._after_cr = False
                if self._buffer[:1] == b"\n":
                    self._buffer = self._buffer[1:]
                    continue
            line = LINE.match(self._buffer)
            if line is None:
                break
            self._buffer = self._buffer[line.end() :]
            self._after_cr = line[2] == b"\r"
            event = self._lines.send(line[1].decode(errors="replace"))
            if event is not None:
                events.append(event)
        return events

    def _blocks(self):
        event = None
        while True:
            block, id = {"data": []}, self.last_event_id
            while line := (yield event):
                event = None
                if field := FIELD.fullmatch(line):
                    name, value = field[1], field[2] or ""
                    if name == "data":
                        block["data"].append(value)
                    elif name == "id":
                        id = id if "\0" in value else value
                    elif name == "event":
                        block["event"] = value
                    elif value.isascii() and value.isdigit():
                        self.retry = int(value[-18:]) if len(value) < 19 else self.retry
            self.last_event_id = id
            event = Event("\n".join(block["data"]), block.get("event") or "message", id) if block["data"] else None
