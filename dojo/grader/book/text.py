"""Untrusted text, made safe to show anywhere: names, messages, notes, whatever a student could have written.

All formats go through here, so that no terminal is sent an escape, no reader sees letters in another order than they
are stored in, and no parser meets a character that its format forbids. What is odd is shown, not hidden.
"""

from __future__ import annotations

import re

LIMIT = 20_000
"""Characters of one message. A longer one is cut, with a remark."""

_ESCAPES = re.compile(r"\x1b\[[0-?]{0,64}[ -/]{0,8}[@-~]")
"""Colours and cursor moves. They are dropped, because pytest and students colour their output in good faith."""

_BREAKS = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")

_ODD = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f"  # controls
    "\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"  # halves of surrogate pairs, and what XML forbids
)
"""The second line is what is invisible or reorders its neighbours, except the joiners that emoji and Persian need."""


def plain(text: str, limit: int = LIMIT) -> str:
    """Lines of at most `limit` characters in all, of which tab and newline are the only controls."""
    shown = _ESCAPES.sub("", text[: 2 * limit])  # what is cut anyway need not be looked at
    shown = _ODD.sub(_visible, _BREAKS.sub("\n", shown))
    if len(shown) <= limit and len(text) <= 2 * limit:
        return shown
    return f"{shown[:limit]}\n[cut here: {len(text):,} characters in all]"


def line(text: str, limit: int = 200) -> str:
    """The same in one line, without space at the ends."""
    shown = " ".join(plain(text, 2 * limit).split())
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def title(name: str) -> str:
    """A student's name, as a heading: one line, and never empty."""
    return line(name, 100) or "(no name)"


def number(value: float) -> str:
    """Points: at most four decimals, and none that are not needed."""
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _visible(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return chr(0x2400 + code)  # ␀ and so on
    if code == 0x7F:
        return "␡"
    return "\ufffd" if 0xD800 <= code <= 0xDFFF or code in (0xFFFE, 0xFFFF) else f"<U+{code:04X}>"
