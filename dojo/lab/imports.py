"""Lets `import rate_limiter` find the implementation that is under test, and tells plainly why it cannot."""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from dojo.lab.blame import learner_frames, place
from dojo.lab.watchdog import watchdog


class Unusable(Exception):
    """The learner's file cannot be imported; the message is all that the learner needs."""


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads from the source alone: a byte-code cache goes by whole seconds and would miss a quick second save."""

    def get_code(self, fullname: str) -> CodeType | None:
        return self.source_to_code(self.get_data(self.path), self.path)

    def exec_module(self, module: ModuleType) -> None:
        name = Path(self.path).name
        try:
            with watchdog({self.path}):
                super().exec_module(module)
        except SyntaxError as error:
            raise Unusable(_syntax(name, error)) from None
        except UnicodeDecodeError as error:
            raise Unusable(f"{name} is not UTF-8 text ({error}). Save it as UTF-8.") from None
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, the learner is told where and what
            raise Unusable(_raised(name, self.path, error)) from None


class Finder(importlib.abc.MetaPathFinder):
    """Resolves kata names, and only those, to files of the chosen implementation tree."""

    def __init__(self, names: Sequence[str], locate: Callable[[str], Path]) -> None:
        self._names = frozenset(names)
        self._locate = locate

    def find_spec(
        self, fullname: str, path: Any = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self._names:
            return None
        file = self._locate(fullname)
        return importlib.util.spec_from_file_location(fullname, file, loader=_Loader(fullname, str(file)))

    def install(self) -> None:
        self.forget()
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        with contextlib.suppress(ValueError):  # somebody else may have rebuilt the list
            sys.meta_path.remove(self)
        self.forget()

    def forget(self) -> None:
        """Drop what an earlier session in this process imported under these names."""
        for name in self._names:
            sys.modules.pop(name, None)


def missing_name(error: BaseException | None, names: Sequence[str]) -> str | None:
    """One sentence for `from rate_limiter import Nonsense`; None if `error` is something else."""
    if not isinstance(error, ImportError) or error.name not in names or not error.path:
        return None
    # Python 3.12 has the missing name as an attribute; before, only the message tells it.
    wanted = getattr(error, "name_from", None) or str(error).split("'")[1]
    return (
        f"{Path(error.path).name} does not define {wanted}, which the tests import. "
        f"Add it, or get the stub back: dojo reset {error.name}"
    )


def _syntax(name: str, error: SyntaxError) -> str:
    line = (error.text or "").rstrip()
    stripped = line.lstrip()
    lines = [f"{name} line {error.lineno}: {type(error).__name__}: {error.msg}"]
    if stripped:
        lines.append(f"    {stripped}")
        if error.offset:
            lines.append("    " + " " * max(0, error.offset - 1 - (len(line) - len(stripped))) + "^")
    return "\n".join(lines)


def _raised(name: str, path: str, error: BaseException) -> str:
    what = "".join(traceback.format_exception_only(error)).strip()
    if not isinstance(error, Exception) and "never finishes" not in what:
        what = f"the file ends the interpreter when it is imported ({what})"
    frames = learner_frames({path}, error.__traceback__)
    where = place(path, frames[-1].lineno or 0, frames[-1].name) if frames else name
    return f"{name} cannot be imported: {what}\n  at {where}"
