"""Submissions that are trees: configuration, tests of their own, and what is in a directory (classes 4, 5 and 14)."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
from pathlib import Path

from .handing_in import EASY, FILE, FORGING, ME, STUB, only, student

# class 4: configuration


def n04_conftest(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A conftest.py beside the file, and above it, passes every test.
    Status: failed
    Points: 0
    """
    student(directory, {"conftest.py": FORGING, "../conftest.py": FORGING, "katas/conftest.py": FORGING})


def n04_configuration(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: pytest.ini, tox.ini, setup.cfg and pyproject.toml select no test, and load a plugin that passes the others.
    Status: failed
    Points: 0
    """
    ini = "addopts = --collect-only -p forging --deselect . -k nothing\ntestpaths = nowhere\n"
    files = {"pytest.ini": f"[pytest]\n{ini}", "tox.ini": f"[pytest]\n{ini}", "setup.cfg": f"[tool:pytest]\n{ini}"}
    toml = '[tool.pytest.ini_options]\naddopts = "--collect-only -p forging"\n'
    student(directory, {**files, ".pytest.ini": f"[pytest]\n{ini}", "pyproject.toml": toml, "forging.py": FORGING})


def n04_environment(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: .env, .envrc, pytest.toml and pyvenv.cfg set PYTEST_ADDOPTS, PYTHONSTARTUP and PYTHONPATH.
    Status: failed
    Points: 0
    """
    text = "PYTEST_ADDOPTS=--collect-only\nPYTHONSTARTUP=forging.py\nPYTHONPATH=.\nPYTEST_PLUGINS=forging\n"
    configuration = {"pytest.toml": '[pytest]\naddopts = ["--collect-only"]\n', "pyvenv.cfg": "home = /nowhere\n"}
    student(directory, {".env": text, ".envrc": text, "forging.py": FORGING, **configuration})


def n04_shadowed_modules(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Files called pytest.py, random.py, math.py and a package dojo want to be imported for the real ones.
    Status: failed
    Points: 0
    """
    names = ("pytest", "random", "math", "itertools", "celery/__init__", "json", "_pytest/__init__", "dojo/__init__")
    lab = {"dojo/lab/__init__.py": "", "dojo/plugin.py": FORGING, "dojo/lab/verdict.py": "same = lambda a, b: True\n"}
    student(directory, {**{f"{name}.py": "raise SystemExit(0)\n" for name in names}, **lab})


def n04_start_files(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: sitecustomize.py, usercustomize.py and .pth files want to be run when the interpreter starts.
    Status: failed
    Points: 0
    """
    code = "import os; os._exit(0)\n"
    names = ("sitecustomize.py", "usercustomize.py", "redteam.pth", "lib/python3/site-packages/redteam.pth")
    student(directory, dict.fromkeys(names, code))


def n04_byte_code(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A __pycache__ holds byte code, unchecked against its source, and a .so and a .pyc lie beside the file.
    Status: failed
    Points: 0
    """
    import importlib.util
    import marshal

    code = marshal.dumps(compile("import os; os._exit(0)", FILE, "exec"))
    unchecked = importlib.util.MAGIC_NUMBER + struct.pack("<I", 1) + b"\0" * 8 + code
    cached = f"__pycache__/{Path(importlib.util.cache_from_source(FILE)).name}"
    student(directory, {cached: unchecked, "backoff_schedule.pyc": unchecked, "backoff_schedule.so": b"\x7fELF"})


def n04_hidden_configuration(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Its own grading.toml, roster, .dojo directory and git hooks want to be taken for the grader's.
    Status: failed
    Points: 0
    """
    grading = "[weights]\nbackoff_schedule = 1000\n[bonus]\nmallory = 100\n"
    files = {"grading.toml": grading, "roster.csv": "name,roster_id\nmallory,1\n", ".dojo/grading.toml": grading}
    hook = "#!/bin/sh\ntouch HARM\n"
    student(
        directory, {**files, "../grading.toml": grading, ".git/hooks/post-checkout": hook, ".git/config": "[core]\n"}
    )


# class 5: tests


def n05_extra_tests(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: 997 easy tests beside the file.
    Status: failed
    Points: 0
    """
    easy = "".join(f"def test_easy_{n}():\n    'Rule {n}. Easy.'\n\n\n" for n in range(997))
    student(directory, {"test_easy.py": easy, "tests/test_easy.py": easy, "easy_test.py": easy})


def n05_edited_tests(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Its own copy of the kata's test file holds one test, which is easy.
    Status: failed
    Points: 0
    """
    student(directory, {"test_backoff_schedule.py": EASY})


def n05_whole_clone(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A whole clone, with edited tests, lab, plugin, syllabus and solutions in their places.
    Status: failed
    Points: 0
    """
    home = only(directory)
    for name, text in {
        f"katas/resilience/backoff_schedule/{FILE}": STUB,
        "katas/resilience/backoff_schedule/test_backoff_schedule.py": EASY,
        "katas/syllabus.toml": "",
        "solutions/resilience/backoff_schedule.py": "raise SystemExit('HARM')\n",
        "dojo/__init__.py": "",
        "dojo/plugin.py": FORGING,
        "dojo/lab/__init__.py": "raise SystemExit('HARM')\n",
        "conftest.py": 'pytest_plugins = ["dojo.plugin"]\n',
        "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '--collect-only'\n",
    }.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


# class 14: what is in a directory


def n14_symlink_out(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: The kata's file is a symbolic link to a file outside, which would be shown in a message.
    Status: refused
    Points: 0
    """
    (only(directory) / FILE).symlink_to("/etc/passwd")


def n14_symlink_to_solution(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: The kata's file is a symbolic link to the repository's solution, by absolute and by relative path.
    Status: refused
    Points: 0
    """
    solution = Path(__file__).parents[3] / "solutions/resilience/backoff_schedule.py"
    (only(directory) / FILE).symlink_to(solution)


def n14_symlink_to_neighbour(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: The kata's file is a symbolic link to another student's.
    Status: refused
    Points: 0
    """
    (directory / "alice").mkdir(parents=True)
    (directory / "alice" / FILE).write_text(STUB)
    (only(directory) / FILE).symlink_to(Path("..") / "alice" / FILE)


def n14_student_is_a_link(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: The student's whole directory is a symbolic link to the root of the file system, or of the solutions.
    Status: refused or missing
    Points: 0
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / ME).symlink_to(Path(__file__).parents[3] / "solutions", target_is_directory=True)


def n14_symlink_loop(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Links that point at each other and at the directories above; the kata's file is one of them.
    Status: refused or missing
    Points: 0
    """
    home = only(directory)
    (home / FILE).symlink_to("b.py")
    (home / "b.py").symlink_to(FILE)
    (home / "up").symlink_to("..", target_is_directory=True)
    (home / "self").symlink_to(".", target_is_directory=True)


def n14_hard_link(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: The kata's file is a hard link to another student's.
    Status: refused or failed
    Points: 0
    """
    (directory / "alice").mkdir(parents=True)
    (directory / "alice" / FILE).write_text(STUB)
    os.link(directory / "alice" / FILE, only(directory) / FILE)


def n14_pipe(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: The kata's file is a pipe, from which nobody ever reads an end.
    Status: refused or missing
    Points: 0
    """
    os.mkfifo(only(directory) / FILE)


def n14_socket(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: The kata's file is a socket.
    Status: refused or missing
    Points: 0
    """
    home = only(directory)
    before = os.getcwd()
    os.chdir(home)  # a socket's path is short
    try:
        with socket.socket(socket.AF_UNIX) as host:
            host.bind(FILE)
    finally:
        os.chdir(before)


def n14_device(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: The kata's file is a device without end (for root), or a link to one.
    Status: refused or missing
    Points: 0
    """
    path = only(directory) / FILE
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))
    except OSError:
        path.symlink_to("/dev/zero")


def n14_directory(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: The kata's file is a directory, a package with an __init__.py.
    Status: refused or missing
    Points: 0
    """
    (only(directory) / FILE).mkdir()
    (directory / ME / FILE / "__init__.py").write_text(STUB)


def n14_no_rights(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Nobody may read the kata's file; root may, and then it is the stub.
    Status: refused or failed or missing
    Points: 0
    """
    (student(directory) / FILE).chmod(0)


def n14_deep_tree(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Directories nested deeper than a path may be long, with the kata's file at the bottom.
    Status: refused or missing
    Points: 0
    """
    place = os.open(only(directory), os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("dddd", dir_fd=place)
        below = os.open("dddd", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = below
    with open(os.open(FILE, os.O_CREAT | os.O_WRONLY, dir_fd=place), "w") as file:
        file.write(STUB)
    os.close(place)


def n14_many_files(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: 20,000 files beside the kata's.
    Status: failed or refused
    Points: 0
    """
    home = student(directory)
    for number in range(20_000):
        (home / f"{number}.py").touch()


def n14_two_files(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: The kata's file several times, in different places and spellings, of which each says something else.
    Status: refused or failed
    Points: 0
    """
    copies = {f"{place}/{FILE}": STUB for place in ("old", "new", "final", "backup/2")}
    student(directory, {**copies, "BACKOFF_SCHEDULE.PY": STUB, f"{FILE} ": STUB, "backoff_schedule (1).py": STUB})


def n14_strange_names(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Students and files whose names are formulas, markup, options, terminal commands, or no text at all.
    Status: missing or failed or refused
    Points: 0
    """
    student(directory)
    names = [b'=HYPERLINK("x","y")', b"<script>alert(1)<", b"--regrade", b"\x1b[2J", b"caf\xe9\xff", b"\n", b"a" * 255]
    names += [b"..mallory", b"@SUM(1)", b"-1+1", "mallory\u202e".encode(), "\u043callory".encode(), b"CON", b"Mallory"]
    for name in names:
        with contextlib.suppress(OSError):  # not every file system takes every name
            folder = os.path.join(os.fsencode(directory), name)
            os.mkdir(folder)
            with open(os.path.join(folder, FILE.encode()), "w") as file:
                file.write(STUB)
