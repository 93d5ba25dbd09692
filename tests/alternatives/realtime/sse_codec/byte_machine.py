"""Byte by byte, with a state for each thing that a byte can mean; text is decoded last, one value at a time.

Design: state machine over bytes
Breaks: none
"""

from collections import namedtuple

Event = namedtuple("Event", "data event id", defaults=("message", ""))

BOM, CR, LF, COLON, SPACE = b"\xef\xbb\xbf", 0x0D, 0x0A, 0x3A, 0x20


def lines_of(text):
    """The lines of `text`, of which there is at least one."""
    line, after_cr = [], False
    for character in text:
        if character == "\n" and after_cr:
            after_cr = False
            continue
        after_cr = character == "\r"
        if character in "\r\n":
            yield "".join(line)
            line = []
        else:
            line.append(character)
    yield "".join(line)


def encode(data=None, *, event=None, id=None, retry=None):
    out = bytearray()

    def write(name, value):
        out.extend(b"%s: %s\r\n" % (name, value.encode()))

    if data is not None:
        for line in lines_of(data):
            write(b"data", line)
    if retry is not None:
        if retry < 0:
            raise ValueError("time runs forward")
        write(b"retry", str(retry))
    for name, value, forbidden in (b"id", id, "\r\n\0"), (b"event", event, "\r\n"):
        if value is not None:
            if set(value) & set(forbidden):
                raise ValueError(f"not allowed in the {name.decode()}: {forbidden!r}; got {value!r}")
            write(name, value)
    return bytes(out + b"\r\n")


def comment(text=""):
    return b"".join(b":%s\n" % line.encode("utf-8", "replace") for line in lines_of(text)) + b"\n"


class Parser:
    def __init__(self):
        self._cursor, self._milliseconds = "", None
        self.end()

    @property
    def last_event_id(self):
        return self._cursor

    @property
    def retry(self):
        return self._milliseconds

    def end(self):
        self._bom = 0  # bytes of it so far; None once it is out of the question
        self._skip_lf = False
        self._name, self._value, self._in_value = bytearray(), bytearray(), False
        self._data, self._type, self._id = None, b"", self._cursor

    def feed(self, chunk):
        return [event for byte in chunk for event in self._byte(byte)]

    def _byte(self, byte):
        if self._bom is not None:
            if byte == BOM[self._bom]:
                self._bom += 1
                if self._bom == len(BOM):
                    self._bom = None
                return
            begun, self._bom = BOM[: self._bom], None
            self._name += begun
        skip, self._skip_lf = self._skip_lf and byte == LF, byte == CR
        if skip:
            return
        if byte in (CR, LF):
            yield from self._line()
        elif self._in_value:
            self._value.append(byte)
        elif byte == COLON:
            self._in_value = True
        else:
            self._name.append(byte)

    def _line(self):
        name, value, blank = bytes(self._name), self._value, not self._name and not self._in_value
        self._name, self._value, self._in_value = bytearray(), bytearray(), False
        if blank:
            self._cursor, text = self._id, self._data
            event, self._data, self._type = self._type.decode("utf-8", "replace"), None, b""
            if text is not None:
                yield Event(text[:-1].decode("utf-8", "replace"), event or "message", self._cursor)
            return
        if value[:1] == b" ":
            del value[0]
        if name == b"data":
            self._data = (self._data or b"") + value + b"\n"
        elif name == b"event":
            self._type = value
        elif name == b"id" and 0 not in value:
            self._id = value.decode("utf-8", "replace")
        elif name == b"retry" and 0 < len(value) < 20 and all(0x30 <= digit <= 0x39 for digit in value):
            self._milliseconds = int(value)
