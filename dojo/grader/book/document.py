"""The frame of every page of the book: one file that needs nothing else and lets nothing in.

The policy allows the one stylesheet and the one script that are written here, by their digests: even if untrusted text
got past the escaping, a browser would run and load nothing of it.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape

from dojo.grader.book.signs import SIGNS
from dojo.grader.book.text import number
from dojo.grader.model import KataGrade, KataStatus

STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --dim: #59626b; --paper: #ffffff; --line: #d5dade; --box: #f3f5f6;
  --passed: #d9f0dd; --failed: #f9d9d4; --error: #f9d9d4; --timed-out: #f9d9d4; --missing: #f6ebc8; --refused: #f6ebc8;
  --some: #fdf0ee; --ungraded: #e6dcf5; --link: #0a58b5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --dim: #a3acb5; --paper: #16191c; --line: #3a4147;
  --box: #22272b; --passed: #1d4527; --some: #3a2522; --failed: #5a2620; --error: #5a2620; --timed-out: #5a2620;
  --missing: #51431a; --refused: #51431a; --ungraded: #43305f; --link: #7db5f5; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 84rem; padding: 1.5rem; font: 16px/1.5 system-ui, sans-serif; color: var(--ink);
  background: var(--paper); overflow-wrap: anywhere; }
a { color: var(--link); }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.125rem; margin: 2rem 0 .5rem; }
.dim { color: var(--dim); }
p { margin: .25rem 0; }
ul { margin: .25rem 0; padding-left: 1.25rem; }
.box { background: var(--box); border-left: 4px solid var(--line); padding: .5rem 1rem; margin: 1rem 0; }
.wide { overflow-x: auto; margin: .5rem 0; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { border: 1px solid var(--line); padding: .25rem .6rem; text-align: left; vertical-align: top; }
th { font-weight: 600; background: var(--box); }
td.n { text-align: right; white-space: nowrap; }
td.key { font-weight: 600; }
.book, .wide thead { overflow-wrap: normal; }
.book tbody th { position: sticky; left: 0; min-width: 9rem; max-width: 18rem; overflow-wrap: anywhere;
  font-weight: 400; }
.book td.flags { min-width: 15rem; max-width: 30rem; overflow-wrap: anywhere; font-size: .8125rem; }
th button { all: inherit; display: inline; border: 0; padding: 0; margin: 0; background: none; cursor: pointer; }
th button:focus-visible { outline: 2px solid var(--link); }
th[aria-sort=ascending] button::after { content: " \\25B2"; }
th[aria-sort=descending] button::after { content: " \\25BC"; }
.passed { background: var(--passed); } .failed { background: var(--failed); } .failed.some { background: var(--some); }
.error { background: var(--error); }
.timed-out { background: var(--timed-out); } .missing { background: var(--missing); }
.refused { background: var(--refused); } .ungraded { background: var(--ungraded); }
.sign { display: inline-block; padding: 0 .5rem; border-radius: .25rem; white-space: nowrap; }
.legend > span { display: inline-block; margin-right: .75rem; }
.test { border-top: 1px solid var(--line); padding: .5rem 0; }
.test > p { margin: 0; }
.twin { table-layout: fixed; width: 100%; min-width: 40rem; }
pre { margin: .5rem 0 0; padding: .5rem .75rem; background: var(--box); font: .8125rem/1.45 ui-monospace, monospace;
  overflow: auto; max-height: 32rem; overflow-wrap: normal; unicode-bidi: isolate; }
@media (max-width: 40rem) { body { padding: .75rem; } .book tbody th { max-width: 9rem; } }
@media print { :root { color-scheme: light; --ink: #000; --dim: #333; --paper: #fff; --link: #000; --box: #f3f5f6;
  --line: #888; --some: #fdf0ee; --passed: #d9f0dd; --failed: #f9d9d4; --error: #f9d9d4; --timed-out: #f9d9d4;
  --missing: #f6ebc8; --refused: #f6ebc8; --ungraded: #e6dcf5; }
  body { max-width: none; padding: 0; font-size: 10pt; } .wide { overflow: visible; }
  .book tbody th { position: static; min-width: 0; }
  .book td.flags { min-width: 0; font-size: 7pt; } table { font-size: 8pt; }
  th, td { padding: .1rem .3rem; } thead { display: table-header-group; } tr { break-inside: avoid; }
  pre { max-height: none; overflow: visible; white-space: pre-wrap; overflow-wrap: anywhere; }
  a { text-decoration: none; } .screen { display: none; } h2 { break-after: avoid; } }
""".strip()

SORT = """
document.querySelectorAll("table.book").forEach(table => {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const value = (row, at) => row.cells[at].dataset.v ?? row.cells[at].textContent;
  heads.forEach((head, at) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const number = "v" in body.rows[0]?.cells[at].dataset;
      const up = head.ariaSort ? head.ariaSort === "descending" : !number;
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.ariaSort = up ? "ascending" : "descending";
      const order = (a, b) => number ? value(a, at) - value(b, at) : value(a, at).localeCompare(value(b, at));
      body.append(...[...body.rows].sort((a, b) => up ? order(a, b) : order(b, a)));
    });
  });
});
""".strip()


def document(title: str, body: str, script: str = "") -> str:
    """The page's text. `title` is escaped here, `body` is HTML."""
    allowed = f"default-src 'none'; style-src '{_digest(_inside(STYLE))}'; base-uri 'none'; form-action 'none'"
    if script:
        allowed += f"; script-src '{_digest(_inside(script))}'"
    code = f"<script>{_inside(script)}</script>\n" if script else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{allowed}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n<meta name="robots" content="noindex">\n'
        f"<title>{escape(title)}</title>\n<style>{_inside(STYLE)}</style>\n</head>\n"
        f"<body>\n<main>\n{body}</main>\n{code}</body>\n</html>\n"
    )


def sign(status: KataStatus) -> str:
    """A status as symbol, word and colour."""
    word = status.replace("-", " ")
    return f'<span class="sign {status}">{SIGNS[status].symbol} {word}</span>'


def mark(kata: KataGrade) -> str:
    """A kata's result in a narrow cell: symbol and points, or the word where there are none."""
    status = kata.verdict.status
    if status == "ungraded":
        return f"{SIGNS[status].symbol} ungraded"
    return f"{SIGNS[status].symbol} {number(kata.points)}"


def identifier(name: str) -> str:
    """A kata's or test's name as HTML that may break after an underscore."""
    return escape(name).replace("_", "_<wbr>")


def _inside(text: str) -> str:
    return f"\n{text}\n"


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
