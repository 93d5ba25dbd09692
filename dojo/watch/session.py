"""What happens when the learner saves, when a run ends, and when a key is pressed. Knows no terminal."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from datetime import datetime
from typing import Literal

from dojo import practice
from dojo.catalog import Catalog, Kata, is_class_repository
from dojo.practice import Progress
from dojo.runner.results import Job, RunnerError, RunResult, rules
from dojo.runner.warm_runner import Advanced, Event, Failed, Finished, WarmRunner
from dojo.watch.saved import SavedFile
from dojo.watch.scene import Page, Scene, Verdict

Wish = Literal["quit", "edit", "open"]
"""What only the owner of the terminal can do."""

KEYS = """\
  n        the next kata
  l        all katas, and how far you are
  h  H     the next hint, one more after each attempt; those so far
  r        run all tests, also those after the first failure
  s        once it is green: yours against the reference, then the reference
  f        once it is green: follow-up questions
  e        edit your file, in $VISUAL or $EDITOR
  o        open what is shown in $PAGER, in full
  j k      scroll by a line; space and b by a page; g and G to the ends
  Esc      back to the verdict
  q        quit

  Saving your file runs its tests, up to the first failure. A save during
  a run ends that run: the newest text gets the verdict.\
"""

_DOWN, _UP = ("j", "down"), ("k", "up")
_BACK = ("escape", "q", "backspace", "enter")


class Session:
    """One learner at work on one kata after the other."""

    def __init__(
        self, katas: Catalog, kata: Kata, runner: WarmRunner, *, auto: bool = False, program: str = "dojo"
    ) -> None:
        """With `auto` a green kata is followed by the next one. `program` is how one starts the dojo here."""
        self._runner = runner
        self._auto = auto
        self._program = program
        self._file = SavedFile(kata.stub)
        self._run: int | None = None
        self._owed = False
        """The present text has had no verdict, because the file was not there when one was due."""
        self._advance = False
        self.verdicts = 0
        """How many there have been, counting troubles: when it changes, there is something new to show."""
        self.scene = Scene(katas, kata, practice.states(katas))

    def begin(self, *, everything: bool = False) -> None:
        """Run the tests on the file as it stands, up to the first failure unless `everything` is asked for."""
        scene = self.scene
        text = self._file.take()
        self._owed = False
        scene.finished = 0
        if text is None:
            self._runner.cancel()
            place = scene.kata.stub.relative_to(scene.kata.root).as_posix()
            remedy = f"Save it again, or get the stub back: {self._program} reset {scene.kata.name}"
            self._trouble(f"{place} cannot be read.\n\n{remedy}")
            return
        try:
            job = Job.of(scene.kata, scene.kata.stub, stop_at_first=not everything)
            self._run = self._runner.submit(job, focus=True)
            scene.running = True
        except (RunnerError, OSError) as error:
            self._trouble(str(error))

    def look(self) -> bool:
        """Begin a run if the file was saved, and say so. To be called all the time."""
        if self._advance:  # not at once: the verdict is to be seen first
            self._advance = False
            self._next(f"{self.scene.kata.name} is green. ")
        elif self._file.saved() or (self._owed and self._file.stands()):
            self.begin()
        else:
            return False
        return True

    def hear(self, event: Event) -> None:
        """Take what the runner says."""
        if event.run != self._run:
            return
        if isinstance(event, Advanced):
            self.scene.finished += 1
        elif isinstance(event, Failed):
            self._trouble(event.message)
        elif isinstance(event, Finished):
            self._run = None
            self._judge(event.result)

    def press(self, key: str) -> Wish | None:
        """Do what a key asks for, or say that the terminal's owner has to."""
        scene = self.scene
        scene.notice = ""
        if scene.listing and self._pressed_in_list(key):
            return None
        if scene.page is not None and self._pressed_in_page(key):
            return None
        if self._scrolled(key):
            return None
        if key == "q":
            return "quit"
        if key == "e":
            return "edit"
        if key == "o":
            return "open"
        actions: dict[str, Callable[[], None]] = {
            "n": self._next,
            "h": self._hint,
            "H": self._hints_so_far,
            "r": lambda: self.begin(everything=True),
            "l": self._list,
            "s": self._compare,
            "f": self._further,
            "?": lambda: self._show(Page("keys", "keys", KEYS, "plain")),
        }
        if (action := actions.get(key)) is not None:
            try:
                action()
            except practice.PracticeError as error:
                scene.notice = str(error)
        return None

    def _judge(self, result: RunResult) -> None:
        """Record what became of the text that was taken, then show it; if it is not the present one, run again."""
        if not self._file.stands():
            self._owed = True
            self.look()
            return
        scene, listed = self.scene, rules(result)
        kept = sum(rule.outcome == "passed" for rule in listed)
        name, text = scene.kata.name, self._file.text
        assert text is not None
        unrecorded = ""
        try:
            with practice.history(scene.kata.root, tell=self._tell) as past:
                practice.record_attempt(past, name, text, result.status, kept=kept, rules=len(listed), where="watch")
        except practice.PracticeError as error:
            unrecorded = f"not recorded: {error}"
        if result.green:
            scene.standing[name] = "solved"
        elif scene.standing[name] == "solved":
            scene.standing[name] = "changed"
        scene.verdict = Verdict(result, datetime.now())
        scene.notice = unrecorded or scene.notice
        self._back()
        self._settle("")
        self._advance = result.green and self._auto

    def _trouble(self, text: str) -> None:
        self._run = None
        self._back()
        self._settle(text)

    def _settle(self, trouble: str) -> None:
        self.scene.running = False
        self.scene.trouble = trouble
        self.scene.top = 0
        self.verdicts += 1

    def _tell(self, text: str) -> None:
        self.scene.notice = text

    def _progress(self) -> Progress:
        return practice.load(self.scene.katas.root).get(self.scene.kata.name, Progress())

    def _go_to(self, kata: Kata) -> None:
        self._runner.cancel()
        self._run = None
        self._file = SavedFile(kata.stub)
        scene = self.scene
        scene.kata, scene.verdict, scene.trouble, scene.top = kata, None, "", 0
        self._back()
        self.begin()

    def _next(self, before: str = "") -> None:
        scene = self.scene
        scene.standing = practice.states(scene.katas)
        following = practice.next_kata(scene.katas, scene.standing, after=scene.kata)
        if following is None:
            scene.notice = f"{before}There is no other kata left to solve. l lists them, q quits."
            return
        self._go_to(following)
        scene.notice = f"{before}Now {following.name}: {following.readme.relative_to(following.root).as_posix()}"

    def _hint(self) -> None:
        kata = self.scene.kata
        hints, before = practice.read_hints(kata), self._progress()
        if before.hints >= len(hints):
            self._hints_so_far()
            there = kata.solution.is_file()  # not in a class repository
            last = f" The solution: {self._program} solution {kata.name} --give-up" if there else ""
            self.scene.notice = f"That was the last.{last}"
        elif practice.unlocked(kata, before):
            shown = hints[before.hints]
            with practice.history(kata.root, tell=self._tell) as past:
                past.record(kata.name, "hint", number=shown.number, sha256=practice.text_sha256(kata))
            self._show_hints((shown,), len(hints))
        else:
            self._hints_so_far()
            self.scene.notice = f"Hint {before.hints + 1} of {len(hints)} unlocks with your next attempt: save."

    def _hints_so_far(self) -> None:
        hints, seen = practice.read_hints(self.scene.kata), self._progress().hints
        if seen:
            self._show_hints(hints[:seen], len(hints))
        else:
            self.scene.notice = "None yet: h shows the first."

    def _show_hints(self, shown: tuple[practice.Hint, ...], total: int) -> None:
        text = "\n\n".join(f"**{hint.number} of {total}: {hint.title}**\n\n{hint.text}" for hint in shown)
        self._show(Page("hints", f"{self.scene.kata.name}: hints", text, "markdown", "h next"))

    def _compare(self) -> None:
        kata, page = self.scene.kata, self.scene.page
        if is_class_repository(kata.root) and not kata.solution.is_file():
            self.scene.notice = "This is a class repository, made without solutions: there is nothing to compare with."
            return
        if self._progress().solved_at is None:
            self.scene.notice = "The solution stays hidden until yours is green. h shows a hint."
            return
        try:
            reference = kata.solution.read_text(encoding="utf-8")
            yours = kata.stub.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            self.scene.notice = f"They cannot be compared: {error}"
            return
        if page is not None and page.name == "diff":
            self._show(Page("solution", f"{kata.name}: the reference", reference, "python", "s compare"))
            return
        lines = difflib.unified_diff(yours.splitlines(), reference.splitlines(), "yours", "reference", lineterm="", n=3)
        text = "\n".join(lines) or "Yours is the reference, word for word."
        self._show(Page("diff", f"{kata.name}: yours (-) against the reference (+)", text, "diff", "s reference"))

    def _further(self, number: int = 0) -> None:
        kata = self.scene.kata
        if self._progress().solved_at is None:
            self.scene.notice = "The follow-up questions come once it is green."
            return
        questions = practice.read_questions(kata)
        if not 1 <= number <= len(questions):
            text = "\n\n".join(f"**{one.number}**  {one.text}" for one in questions)
        else:
            one = questions[number - 1]
            text = f"**{one.number}  {one.text}**\n\n{one.answer}"
        keys = f"1-{len(questions)} its answer" if not number else "f all questions"
        self._show(Page("further", f"{kata.name}: going further", text, "markdown", keys))

    def _list(self) -> None:
        scene = self.scene
        scene.standing = practice.states(scene.katas)
        scene.page, scene.listing, scene.top = None, True, 0
        scene.cursor = scene.katas.katas.index(scene.kata)

    def _show(self, page: Page) -> None:
        self.scene.page, self.scene.listing, self.scene.top = page, False, 0

    def _back(self) -> None:
        if self.scene.page is not None or self.scene.listing:
            self.scene.page, self.scene.listing, self.scene.top = None, False, 0

    def _pressed_in_list(self, key: str) -> bool:
        scene, last = self.scene, len(self.scene.katas) - 1
        if key in _DOWN:
            scene.cursor = min(last, scene.cursor + 1)
        elif key in _UP:
            scene.cursor = max(0, scene.cursor - 1)
        elif key == "enter":
            self._go_to(scene.katas.katas[scene.cursor])
        elif key in (*_BACK, "l"):
            self._back()
        else:
            return False
        return True

    def _pressed_in_page(self, key: str) -> bool:
        page = self.scene.page
        assert page is not None
        if key in _BACK or (page.name, key) == ("keys", "?"):
            self._back()
        elif page.name == "further" and key.isdecimal():
            self._further(int(key))
        else:
            return False
        return True

    def _scrolled(self, key: str) -> bool:
        """The drawing corrects what is out of bounds, because only it knows them."""
        scene, leap = self.scene, max(1, self.scene.room - 1)
        steps = {
            **dict.fromkeys(_DOWN, 1),
            **dict.fromkeys(_UP, -1),
            **dict.fromkeys((" ", "page-down"), leap),
            **dict.fromkeys(("b", "page-up"), -leap),
            **dict.fromkeys(("g", "home"), -(10**6)),
            **dict.fromkeys(("G", "end"), 10**6),
        }
        scene.top = max(0, scene.top + steps.get(key, 0))
        return key in steps
