"""The rules of README.md, in the order in which it is easiest to make them hold."""

import itertools

import httpx
from httpx_sse import EventSource
from sse_codec import Parser, comment, encode

from dojo.lab.properties import given, settings, st

# What str.splitlines() takes for line ends, and an event stream does not.
NO_LINE_ENDS = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"


def written(lab, block):
    """What the encoder returned, which has to be bytes."""
    lab.require(type(block) is bytes, expected="bytes", got=f"{type(block).__name__}", trap="not-bytes")
    return block


def client(lab, *blocks):
    """What a real client, httpx-sse, hears of them: (data, event, id, retry) each."""
    stream = b"".join(written(lab, block) for block in blocks)
    response = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=stream)
    return [(sse.data, sse.event, sse.id, sse.retry) for sse in EventSource(response).iter_sse()]


def heard(events):
    return [(event.data, event.event, event.id) for event in events]


def feed(parser, *chunks):
    """The events of all chunks. They are looked at in the end, as by a caller who keeps them."""
    answers = [parser.feed(chunk) for chunk in chunks]
    return heard(event for events in answers for event in events)


def parse(*streams):
    return feed(Parser(), *(stream.encode() if isinstance(stream, str) else stream for stream in streams))


def datas(*streams):
    return [data for data, _, _ in parse(*streams)]


def in_bytes(stream):
    return [stream[at : at + 1] for at in range(len(stream))]


# the encoder


def test_a_message_is_complete(lab):
    """Rule 1. `encode` writes one complete block, with each field that it was given."""
    lab.scenario("httpx-sse reads what encode() wrote: data, event, id, retry")
    got = client(lab, encode("hello"), encode("again"))
    both = [("hello", "message", "", None), ("again", "message", "", None)]
    lab.expect("two messages", got, both, trap="no-blank-line")
    got = client(lab, encode("{}", event="price", id="17", retry=3000), encode("x", retry=0))
    fields = [("{}", "price", "17", 3000), ("x", "message", "17", 0)]
    lab.expect("all fields, then retry=0", got, fields, trap="lost-field")
    got = client(lab, encode("a", id="7"), encode("b"), encode("c", id=""), encode("d", event=""))
    ids = [(data, "message", id, None) for data, id in (("a", "7"), ("b", "7"), ("c", ""), ("d", ""))]
    lab.expect("id 7, no id, an empty id, an empty type", got, ids, trap="lost-field")
    got = client(lab, b"data: a\n", encode())  # a block of nothing, to whoever needs its blank line
    lab.expect("a data line, then encode()", got, [("a", "message", "", None)], trap="no-blank-line")


def test_data_arrives_as_it_was(lab):
    """Rule 2. Data arrives as it was, whatever is in it; only a CR or a CRLF becomes an LF."""
    lab.scenario("httpx-sse reads what encode() wrote")

    def arrives(data, expected, trap):
        lab.expect(f"encode({data!r})", client(lab, encode(data)), [(expected, "message", "", None)], trap=trap)

    for data in "a\nb", "a\n\nb", "a\n", "\na", "\n", "":
        arrives(data, data, "lost-line")
    for data, expected in ("a\rid: 7", "a\nid: 7"), ("a\r\nb", "a\nb"), ("a\r\rb\r", "a\n\nb\n"), ("a\n\rb", "a\n\nb"):
        arrives(data, expected, "newline-injection")
    for data in " a", "  a\n b", "\ta", "a ", " ":
        arrives(data, data, "stripped")
    for data in *(f"a{character}b" for character in NO_LINE_ENDS), NO_LINE_ENDS:
        arrives(data, data, "splitlines")
    for data in "data: a", ": a", "\ufeffa", "a\0b", "\\n\\", '{"face": "😀"}', "%0A&#10;", "e\u0301\ufb01":
        arrives(data, data, "lost-line")


def test_what_would_break_the_stream_is_refused(lab):
    """Rule 3. What would break the stream raises `ValueError`, and nothing else does."""
    for name, value, data in itertools.product(("event", "id"), ("a\nb", "a\rb", "a\r\n", "a\n", "\r"), ("x", None)):
        with lab.raises(ValueError, when=f"for {name}={value!r}", trap="newline-injection"):
            encode(data, **{name: value})
    for value in "\0", "a\0b":
        with lab.raises(ValueError, when=f"for id={value!r}", trap="nul-id"):
            encode("x", id=value)
    with lab.raises(ValueError, when="for retry=-1", trap="bad-retry"):
        encode("x", retry=-1)
    for fields in {"data": "\ud83d"}, {"data": "x", "event": "\ud83d"}, {"data": "x", "id": "\ud83d"}:
        with lab.raises(ValueError, when="for a lone surrogate, \\ud83d", trap="lone-surrogate"):
            encode(**fields)
    lab.scenario("httpx-sse reads what encode() wrote")
    for event in "a: b", " a", "a ", "0", "ünï 😀", NO_LINE_ENDS, "a\0b":
        id = event.replace("\0", "-")
        with lab.no_error(expected=f"event={event!r} and id={id!r} are allowed", trap="too-strict"):
            got = client(lab, encode("x", event=event, id=id))
        lab.expect(f"event={event!r}, id={id!r}", got, [("x", event, id, None)], trap="too-strict")


def test_a_comment_is_ignored(lab):
    """Rule 4. `comment` writes complete lines, and every client ignores all of them."""
    lab.scenario("httpx-sse reads a comment between two messages")
    both = [(data, "message", "", None) for data in "ab"]
    for text in "", "keep-alive", "data: c", " retry: 5", f"a{NO_LINE_ENDS}id: 7", "ünï 😀", "\ufeff":
        with lab.no_error(expected=f"comment({text!r}) is allowed", trap="bad-comment"):
            got = client(lab, encode("a"), comment(text), encode("b"))
        lab.expect(f"comment({text!r})", got, both, trap="bad-comment")
        ended = written(lab, comment(text)).endswith((b"\n", b"\r"))
        lab.require(ended, expected="a complete line", got=f"comment({text!r}) is none", trap="bad-comment")
    for text in "x\nid: 7", "x\rid: 7", "x\r\nretry: 5", "\nevent: x", "x\n\ndata: c\n\n", "\rdata: c\r\r":
        got = client(lab, encode("a"), comment(text), encode("b"))
        lab.expect(f"comment({text!r})", got, both, trap="newline-injection")


# the parser, on whole streams


def test_a_blank_line_ends_a_block(lab):
    """Rule 5. Each block with data is one event, when the blank line after it has come."""
    parser = Parser()
    events = parser.feed(b"data: a\n\ndata: b\n\n\ndata: c\n")
    lab.require(type(events) is list, expected="a list of events", got=f"{type(events).__name__}", trap="lazy-feed")
    both = [("a", "message", ""), ("b", "message", "")]
    lab.expect("two blocks, and a third without its blank line", heard(events), both, trap="half-event")
    lab.expect("the blank line", feed(parser, b"\n"), [("c", "message", "")], trap="half-event")
    lab.expect("another blank line", feed(parser, b"\n"), [], trap="ghost-event")


def test_three_line_ends_and_no_other(lab):
    """Rule 6. CR, LF and CRLF each end a line, and no other character does."""
    for name, end in ("LF", "\n"), ("CRLF", "\r\n"), ("CR", "\r"):
        stream = f"data: a{end}data: b{end}{end}data: c{end}{end}"
        lab.expect(f"{name}, {stream!r}", datas(stream + ": end\n"), ["a\nb", "c"], trap="one-line-end")
    for stream in "data: a\r\n\rdata: b\n\r", "data: a\n\rdata: b\r\r\n", "data: a\n\r\ndata: b\n\n":
        lab.expect(f"mixed, {stream!r}", datas(stream + ": end\n"), ["a", "b"], trap="one-line-end")
    for character in NO_LINE_ENDS:
        data = f"a{character}data: b"
        lab.expect(f"{character!r} in the data", datas(f"data: {data}\n\n"), [data], trap="splitlines")


def test_data_lines_are_joined(lab):
    """Rule 7. The data lines of a block are joined by LF, empty ones too."""
    for stream, expected in (
        ("data: a\ndata: b\ndata: c\n\n", ["a\nb\nc"]),
        ("data: a\nid: 7\n: x\ndata: b\n\n", ["a\nb"]),
        ("data: a\ndata:\ndata: b\n\n", ["a\n\nb"]),
        ("data:\ndata: a\ndata:\n\n", ["\na\n"]),
        ("data:\n\ndata\ndata\n\ndata:test\n\n", ["", "\n", "test"]),  # WPT: format-field-data
    ):
        lab.expect(f"{stream!r}", datas(stream), expected, trap="lost-line")


def test_names_are_exact_and_one_space_goes(lab):
    """Rule 8. The name ends at the first colon and is exact; one space after the colon goes; the rest is ignored."""
    for value, data in ("a", "a"), (" a", "a"), ("  a ", " a "), ("   ", "  "), ("\ta", "\ta"), ("\u3000a", "\u3000a"):
        lab.expect(f"{f'data:{value}'!r}", datas(f"data:{value}\n\n"), [data], trap="stripped")
    for data in '{"at": "10:30"}', ":a:", "data: a", "\0", "http://[::1]:80/", "e\u0301 \ufb01 &amp; %20 \\n":
        lab.expect(f"{f'data:{data}'!r}", datas(f"data:{data}\n\n"), [data], trap="loose-names")
    for line in "DATA: b", "Data: b", " data: b", "data : b", "\tdata: b", "database: b", "data_x", "da-ta: b", "x: b":
        lab.expect(f"'data: a', then {line!r}", datas(f"data: a\n{line}\ndata: c\n\n"), ["a\nc"], trap="loose-names")
    for line in " ", "\t", ": data: b", ":", ":data:b", "::", "a text", "\0data: b", "data\0: b", "\ufeffdata: b":
        lab.expect(f"'data: a', then {line!r}", datas(f"data: a\n{line}\ndata: c\n\n"), ["a\nc"], trap="loose-names")
    # as in WPT's format-field-parsing
    stream = "data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata:3\rdata:\r\n data:32\ndata:4\n\n"
    lab.expect("all at once", datas(stream), ["\0\n 2\n1\n3\n\n4"], trap="loose-names")


def test_no_data_no_event(lab):
    """Rule 9. A block without a data line is no event; one whose data is empty is."""
    for stream in "\n\n\n", ": ping\n\n", "event: x\n\n", "id: 7\n\n\n", "retry: 5\n\n", "x: y\n\n", "\r\r\n\n":
        lab.expect(f"{stream!r}", parse(stream), [], trap="ghost-event")
    for stream in "data:\n\n", "data\n\n", "data: \n\n":
        lab.expect(f"{stream!r}", parse(stream), [("", "message", "")], trap="empty-data")


def test_the_type_is_the_blocks_own(lab):
    """Rule 10. `event` names the type of its own block, the last one counts, and an empty one is "message"."""
    for stream, expected in (
        ("event: x\n: y\nz: y\ndata: a\n\n", ["x"]),
        ("event: x\ndata: a\nevent:  Y \n\n", [" Y "]),
        ("event: x\nevent\ndata: a\n\n", ["message"]),
        ("event: x\ndata: a\n\ndata: b\n\n", ["x", "message"]),
        ("event: x\n\ndata: b\n\n", ["message"]),
        ("event: x\nid: 1\n\nevent: y\ndata: b\n\n", ["y"]),
    ):
        got = [event for _, event, _ in parse(stream)]
        lab.expect(f"types of {stream!r}", got, expected, trap="leaking-type")


def test_an_id_stays(lab):
    """Rule 11. An id holds from its block on until the next one, an empty one too; one with a NUL is ignored."""

    def ids(stream):
        return [id for _, _, id in parse(stream)]

    for stream, expected in (
        ("id: 1\ndata: a\n\ndata: b\n\ndata: c\nid: 2\n\ndata: d\n\n", ["1", "1", "2", "2"]),
        ("id: 01\n\ndata: a\n\n", ["01"]),
        ("id: 1\nid:  2 \ndata: a\n\n", [" 2 "]),
    ):
        lab.expect(f"ids of {stream!r}", ids(stream), expected, trap="forgotten-id")
    for line in "id", "id:", "id: ":
        got = ids(f"id: 1\ndata: a\n\n{line}\ndata: b\n\ndata: c\n\n")
        lab.expect(f"id 1, then {line!r}, then none", got, ["1", "", ""], trap="empty-id")
    for id in "\0", "\0\0", "2\0", "\0" + "2", "2\0" + "2", " \0":
        got = ids(f"id: 1\ndata: a\n\nid: {id}\ndata: b\n\nid: 3\nid: {id}\ndata: c\n\n")
        lab.expect(f"id 1, then {id!r}, then 3 and {id!r}", got, ["1", "1", "3"], trap="nul-id")
    lab.scenario("last_event_id, what the next request would send")
    parser = Parser()
    lab.expect("at first", parser.last_event_id, "", trap="forgotten-id")
    for chunk, expected, trap in (
        (b"id: 1\ndata: a\n\n", "1", "forgotten-id"),
        (b"id: 2\ndata: b\n", "1", "early-id"),
        (b"\n", "2", "early-id"),
        (b"id: 3\n\ndata: c\n", "3", "forgotten-id"),
        (b"\nid\n\n", "", "empty-id"),
    ):
        parser.feed(chunk)
        lab.expect(f"after {chunk!r}", parser.last_event_id, expected, trap=trap)


def test_retry_is_digits(lab):
    """Rule 12. `retry` is ASCII digits and counts when its line ends; others are ignored, and none raises."""
    parser = Parser()
    lab.expect("retry at first", parser.retry, None, trap="bad-retry")
    for line, expected in ("2000", 2000), ("0", 0), ("0050", 50), ("123456789012345", 123456789012345), ("3000", 3000):
        lab.expect(f"events of retry: {line}", feed(parser, f"retry: {line}".encode()), [], trap="ghost-event")
        parser.feed(b"\n")
        lab.expect(f"retry after the line 'retry: {line}'", parser.retry, expected, trap="bad-retry")
    bogus = ["", " 5", "5 ", "\t5", "+5", "-5", "5.0", "1_000", "0x10", "1e3", "1000x", "x", "5\0"]
    scripts = ["\u0663", "\uff15", "5\u00b2", "\u00b2"]  # digits, too: Arabic, wide, raised
    for line in "retry", "retry:", *(f"retry: {value}" for value in bogus + scripts):
        with lab.no_error(expected=f"the line {line!r} is ignored", trap="bad-retry"):
            got = feed(parser, f"{line}\ndata: a\n\n".encode())
        lab.expect(f"retry after the line {line!r}", parser.retry, 3000, trap="bad-retry")
        lab.expect(f"the event after it, {line!r}", got, [("a", "message", "")], trap="bad-retry")
    with lab.no_error(expected="the event after a retry of 5,000 digits", trap="bad-retry"):
        got = feed(parser, b"retry: " + b"9" * 5000 + b"\ndata: a\n\n")
    lab.expect("the event after a retry of 5,000 digits", got, [("a", "message", "")], trap="bad-retry")


def test_bytes_become_text(lab):
    """Rule 13. One leading BOM is dropped, and bytes that are no UTF-8 become U+FFFD and spoil nothing else."""
    # WPT: format-bom and format-bom-2
    stream = "\ufeffdata: 1\n\n\ufeffdata: 2\n\ndata: 3\n\n"
    lab.expect(f"{stream!r}", datas(stream), ["1", "3"], trap="bom")
    for before in "\ufeff", "\n":
        got = datas(f"{before}\ufeffdata: 1\n\ndata: 2\n\n")
        lab.expect(f"a BOM after {before!r}, data 1, data 2", got, ["2"], trap="bom")
    lab.expect("a BOM in the data", datas("data: \ufeffa\n\ndata:\ufeff\n\n"), ["\ufeffa", "\ufeff"], trap="bom")
    for stream, expected in (
        (b"data: a\xffb\n\ndata: c\n\n", ["a\ufffdb", "c"]),
        (b"data: \xe2\x82\ndata:\xed\xa0\x80\n\n", ["\ufffd\n\ufffd\ufffd\ufffd"]),
        (b"data: \xf0\x9f\x98\r\rdata: \xc3(\n\n", ["\ufffd", "\ufffd("]),
    ):
        with lab.no_error(expected=f"no error for {stream!r}", trap="strict-utf8"):
            lab.expect(f"{stream!r}", datas(stream), expected, trap="strict-utf8")


# the parser, chunk by chunk

CUT = (
    "\ufeffid: é\n: hi\ndata: ü😀\nevent: x\r\ndata: b\r\n\nretry: 1500\n"
    "data: 1\r\ufeffdata: 0\rdata:  2\r\rdata\r\n\r\nid\r\ndata: c"
).encode() + b"\xff\xe2\x82\n\n"
CUT_EVENTS = [("ü😀\nb", "x", "é"), ("1\n 2", "message", "é"), ("", "message", "é"), ("c\ufffd\ufffd", "message", "")]


def test_a_cut_anywhere_changes_nothing(lab):
    """Rule 14. The events are the same wherever the stream is cut: within a line, a character, a CRLF or the BOM."""
    lab.scenario(f"{CUT!r}")
    for at in range(len(CUT)):
        before, after = CUT[:at], CUT[at:]
        crlf, halved = before.endswith(b"\r") and after.startswith(b"\n"), (after[0] & 0xC0) == 0x80
        for chunks in (before, after), (before, b"", after):
            trap = "split-crlf" if crlf else "split-character" if halved and len(chunks) == 2 else "split-line"
            what = f"cut at {at}, after {before[-8:]!r}{', with an empty chunk' if len(chunks) == 3 else ''}"
            with lab.no_error(expected=f"no error, {what}", trap=trap):
                lab.expect(what, feed(Parser(), *chunks), CUT_EVENTS, trap=trap)
    parser = Parser()
    lab.expect("byte by byte", feed(parser, *in_bytes(CUT)), CUT_EVENTS, trap="split-line")
    lab.expect("its retry", parser.retry, 1500, trap="split-line")
    lab.scenario("2,000 small events and one of 1,001 lines and 101,001 characters in three chunks")
    many, long = b"data: a\n\n" * 2000, b"data\n" * 1000 + b"data: " + b"x" * 100_000
    got = lab.plain("data", datas(many + long, b"x", b"\n\n"), trap="split-line")
    lab.expect("events, and the longest", (len(got), max(map(len, got), default=0)), (2001, 101_001), trap="split-line")


# Lines, and what each of them is to its block.
FIELDS = {"data: a": ("data", "a"), "data:  €": ("data", " €"), "data": ("data", ""), "event: x": ("event", "x")}
IDS = {"id: 7": ("id", "7"), "id": ("id", "")}
LINES = {**FIELDS, **IDS, "id: \0": None, ": ping": None, "😀": None, "": "blank"}
SPELLED = st.tuples(st.sampled_from([*LINES, "", "data: a"]), st.sampled_from(["\n", "\r", "\r\n"]))


@settings(max_examples=40)
@given(lines=st.lists(SPELLED, max_size=16), cuts=st.lists(st.integers(0, 120), max_size=6))
def test_any_stream_in_any_chunks(lab, lines, cuts):
    """Rule 14. The events are the same wherever the stream is cut, whatever the stream."""
    stream, expected, block, last = "", [], {"data": []}, ""
    for line, end in [*lines, ("", "\n")]:
        # After a CR, an empty line that ends in LF would be no line, but the rest of a CRLF.
        stream += line + ("\r" if not line and stream.endswith("\r") else end)
        meaning = LINES[line]
        if meaning == "blank":
            last = block.get("id", last)
            if block["data"]:
                expected.append(("\n".join(block["data"]), block.get("event", "message"), last))
            block = {"data": []}
        elif meaning is not None:
            name, value = meaning
            block[name] = [*block["data"], value] if name == "data" else value
    whole = f"{stream}: end\n".encode()
    ends = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    chunks = [whole[start:end] for start, end in itertools.pairwise(ends)]
    lab.expect(f"events of {chunks}", feed(Parser(), *chunks), expected, trap="split-line")


def test_an_event_does_not_wait_for_the_next(lab):
    """Rule 15. An event comes with the byte that ends its blank line, a CR too, whatever follows."""
    for name, end, at in ("LF", b"\n", 9), ("CR", b"\r", 9), ("CRLF", b"\r\n", 10):
        one, other = (b"data: " + data + end + end for data in (b"a", b"b"))
        lab.scenario(f"{name}: {one!r} byte by byte, then {other!r} at once")
        parser, came = Parser(), []
        for count, byte in enumerate(in_bytes(one), start=1):
            came += [(count, *event) for event in feed(parser, byte)]
        lab.expect("after how many bytes the event came", came, [(at, "a", "message", "")], trap="held-back")
        lab.expect("the other event", feed(parser, other), [("b", "message", "")], trap="held-back")
    parser = Parser()
    parser.feed(b"id: 5\r\rretry: 7\r")
    lab.expect("id and retry, each ended by CR", (parser.last_event_id, parser.retry), ("5", 7), trap="held-back")


def test_a_connection_ends(lab):
    """Rule 16. `end` drops the unfinished block with its id, and keeps last_event_id and retry for the next stream."""
    first = "\ufeffid: 1\nretry: 9\ndata: a\n\nid: 2\nevent: x\ndata: €\r\r".encode()
    second = "\ufeffdata: c\n\nid: 3\ndata: d\n\n".encode()
    done, timed = first.index(b"id: 2"), first.index(b"data: a")
    parser, last = Parser(), ""
    for at in range(len(first) + 1):
        lab.scenario(f"a stream breaks off after {first[:at]!r}, and the next is {second!r}")
        before = feed(parser, first[:at])
        parser.end()
        events = [("a", "message", "1")] * (at >= done) + [("€", "x", "2")] * (at == len(first))
        last = "2" if at == len(first) else "1" if at >= done else last
        lab.expect("events before the end", before, events, trap="half-event")
        trap = "early-id" if first.index(b"retry") <= at < done else "forgotten-id"
        lab.expect("last_event_id after it", parser.last_event_id, last, trap=trap)
        lab.expect("retry after it", parser.retry, 9 if at >= timed else None, trap="forgotten-id")
        after = feed(parser, second)
        lab.expect("the next stream", after, [("c", "message", last), ("d", "message", "3")], trap="stale-connection")
        parser.end()
        last = "3"


def test_each_parser_has_its_own_state(lab):
    """Rule 17. A parser knows its own stream, and nobody else's."""
    lab.scenario("two parsers in turn")
    one, other = Parser(), Parser()
    feed(one, b"id: 1\nretry: 5\nevent: x\ndata: a\ndata: b")
    kept = other.feed(b"data: b\n\n")
    lab.expect("the other's event", heard(kept), [("b", "message", "")], trap="shared-state")
    lab.expect("the one's event", feed(one, b"\n\n"), [("a\nb", "x", "1")], trap="shared-state")
    lab.expect("the other's id and retry", (other.last_event_id, other.retry), ("", None), trap="shared-state")
    other.end()
    lab.expect("the other's next", feed(other, b"data: c\n\n"), [("c", "message", "")], trap="shared-state")
    lab.expect("the event before, looked at again", heard(kept), [("b", "message", "")], trap="shared-state")


# both

TEXT = st.text(alphabet="ab: \n\r\0\t\ufeff\u2028€😀", max_size=6)
LINE = st.none() | st.text(alphabet="ab: \t\ufeff\u2028€😀", max_size=4)


@settings(max_examples=25)
@given(
    messages=st.lists(st.tuples(st.none() | TEXT, LINE, LINE, st.none() | st.integers(0, 10**12)), max_size=5),
    size=st.integers(1, 40),
)
def test_what_is_encoded_is_parsed(lab, messages, size):
    """Rule 18. What `encode` wrote, a parser reads: the same data, types, ids and times, in chunks of any size."""
    stream, expected, last, retry = b"", [], "", None
    for data, event, id, milliseconds in messages:
        block = encode(data, event=event, id=id, retry=milliseconds)
        stream += written(lab, comment(data or "")) + written(lab, block)
        last, retry = last if id is None else id, retry if milliseconds is None else milliseconds
        if data is not None:
            expected.append((data.replace("\r\n", "\n").replace("\r", "\n"), event or "message", last))
    parser = Parser()
    got = feed(parser, *(stream[at : at + size] for at in range(0, len(stream), size)))
    lab.expect("events", got, expected, trap="round-trip")
    lab.expect("last_event_id and retry", (parser.last_event_id, parser.retry), (last, retry), trap="round-trip")
