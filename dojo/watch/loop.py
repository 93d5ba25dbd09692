"""Connects a session with a terminal, or with a plain stream where there is none."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from time import monotonic

from dojo.catalog import Catalog, Kata
from dojo.runner.warm_runner import Advanced, WarmRunner
from dojo.watch.saved import POLL_S
from dojo.watch.scene import Scene
from dojo.watch.screen import ansi, frame
from dojo.watch.session import Session, Wish
from dojo.watch.terminal import Terminal

_COUNTING_S = 0.15
"""How often a running count is shown."""


def at_terminal(katas: Catalog, kata: Kata, *, auto: bool, program: str, marks: Mapping[str, str]) -> Scene:
    """Watch until the learner quits; what was on the screen last. Ctrl-C quits like `q`."""
    color = not os.environ.get("NO_COLOR")
    with Terminal() as terminal, WarmRunner(terminal.wake) as runner:
        with contextlib.suppress(OSError):
            runner.start()  # it imports while we read
        session = Session(katas, kata, runner, auto=auto, program=program)
        with contextlib.suppress(KeyboardInterrupt):
            session.begin()
            drawn = 0.0
            while not terminal.closed:
                changed = session.look() or terminal.blank
                for event in runner.events():
                    session.hear(event)
                    # Tests end by the dozen; drawing takes CPU from those that are still running.
                    changed = changed or not isinstance(event, Advanced) or monotonic() > drawn + _COUNTING_S
                if changed:
                    drawn = monotonic()
                    _draw(session.scene, terminal, marks, color)
                pressed = terminal.wait(POLL_S)
                for key in pressed:
                    wish = session.press(key)
                    if wish == "quit":
                        return session.scene
                    if wish is not None:
                        _grant(wish, session.scene, terminal)
                if pressed:
                    _draw(session.scene, terminal, marks, color)
    return session.scene


def in_lines(katas: Catalog, kata: Kata, *, auto: bool, program: str, tell: Callable[[Scene], None]) -> Scene:
    """Watch without keys: `tell` hears each verdict. Ends with Ctrl-C and with the end of standard input."""
    ended = threading.Event()
    something = threading.Event()
    threading.Thread(target=_read_to_the_end, args=(ended,), daemon=True).start()
    with WarmRunner(something.set) as runner:
        with contextlib.suppress(OSError):
            runner.start()  # it imports while we read
        session = Session(katas, kata, runner, auto=auto, program=program)
        with contextlib.suppress(KeyboardInterrupt):
            session.begin()
            told = 0
            while True:
                last = ended.is_set()  # asked before the look: what was saved until then gets its verdict
                session.look()
                for event in runner.events():
                    session.hear(event)
                if session.verdicts > told:
                    told = session.verdicts
                    tell(session.scene)
                elif last and not session.scene.running:
                    break
                something.wait(POLL_S)
                something.clear()
    return session.scene


def _read_to_the_end(ended: threading.Event) -> None:
    with contextlib.suppress(OSError, ValueError):
        while sys.stdin is not None and os.read(sys.stdin.fileno(), 1 << 10):
            pass
    ended.set()


def _draw(scene: Scene, terminal: Terminal, marks: Mapping[str, str], color: bool) -> None:
    width, height = terminal.size()
    drawn = frame(scene, width, height, marks)
    scene.top, scene.room = drawn.top, drawn.room
    terminal.paint([ansi(line, color) for line in drawn.lines])


def _grant(wish: Wish, scene: Scene, terminal: Terminal) -> None:
    if wish == "edit":
        command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
        _lend(terminal, scene, [*command, str(scene.kata.stub)], "Set $EDITOR to the editor that you use.", None)
        return
    verdict = scene.verdict
    text = scene.page.text if scene.page else scene.trouble or (verdict.failure if verdict else "")
    if verdict is not None and not scene.page and verdict.printed:
        text += f"\n\nprinted by your code in that test:\n{verdict.printed}"
    if not text:
        scene.notice = "There is no failure to open."
        return
    command = shlex.split(os.environ.get("PAGER") or "less")
    _lend(terminal, scene, command, "Set $PAGER to a program that shows text.", text)


def _lend(terminal: Terminal, scene: Scene, command: Sequence[str], remedy: str, text: str | None) -> None:
    try:
        with terminal.lent():
            done = subprocess.run(command, input=None if text is None else text.encode(), check=False)
    except OSError as error:
        scene.notice = f"{command[0]} cannot be started: {error.strerror}. {remedy}"
        return
    if done.returncode > 0:
        scene.notice = f"{command[0]} ended with code {done.returncode}."
