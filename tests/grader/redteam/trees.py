"""Submissions that are trees and archives: each builder makes a folder of submissions, in which one is mallory's.

They are made when they are needed, because pipes, devices and bombs cannot be kept in a repository, and broken source
would trouble its tools. What a builder cannot make on this system it leaves out.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import os
import socket
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

FILE = "backoff_schedule.py"
ME = "mallory"

STUB = """\
def delay(retry, **options):
    raise NotImplementedError


class Backoff:
    def __init__(self, **options):
        raise NotImplementedError
"""
EASY = "def test_reset_starts_over(lab):\n    'Rule 14. It is easy.'\n"
FORGING = """\
import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    return True


def pytest_sessionfinish(session):
    session.exitstatus = 0
"""


def student(directory: Path, files: dict[str, str | bytes] | None = None, source: str | bytes = STUB) -> Path:
    """Mallory's directory, with the kata's file in it and others."""
    for name, text in {FILE: source, **(files or {})}.items():
        path = directory / ME / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return directory / ME


def only(directory: Path) -> Path:
    """Mallory's directory, empty."""
    (directory / ME).mkdir(parents=True)
    return directory / ME


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


# class 15: archives


def packed(directory: Path, entries: dict[str, bytes | str], name: str = f"{ME}.zip") -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(directory / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, text in entries.items():
            archive.writestr(zipfile.ZipInfo(entry), text, zipfile.ZIP_DEFLATED)
    return directory / name


def taped(directory: Path, members: list[tuple[tarfile.TarInfo, bytes]], name: str = f"{ME}.tar.gz") -> None:
    directory.mkdir(parents=True, exist_ok=True)
    with tarfile.open(directory / name, "w:gz") as archive:
        for member, text in members:
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info


def n15_zip_slip(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Entries of a ZIP archive climb out of the directory with `..`, in both kinds of slashes.
    Status: refused
    Points: 0
    """
    names = ("../HARM", "../../HARM", "a/../../HARM", "..\\HARM", "../alice/backoff_schedule.py")
    packed(directory, {FILE: STUB, **dict.fromkeys(names, "HARM")})


def n15_absolute_zip(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Entries of a ZIP archive have absolute paths, of POSIX and of Windows.
    Status: refused
    Points: 0
    """
    packed(directory, {FILE: STUB, "/tmp/HARM": "HARM", "C:\\HARM": "HARM", "//host/share/HARM": "HARM"})


def n15_zip_symlink(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A ZIP archive has symbolic links to /etc/passwd and to a directory, through which it writes.
    Status: refused
    Points: 0
    """
    directory.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(directory / f"{ME}.zip", "w") as archive:
        for name, target in ((FILE, "/etc/passwd"), ("out", "/tmp")):
            entry = zipfile.ZipInfo(name)
            entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, target)
        archive.writestr("out/HARM", "HARM")


def n15_zip_bomb(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: An entry of a ZIP archive has a gigabyte of zeros behind a megabyte.
    Status: refused
    Points: 0
    """
    directory.mkdir(parents=True, exist_ok=True)
    block = b"\0" * (1 << 24)
    with zipfile.ZipFile(directory / f"{ME}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(FILE, STUB)
        with archive.open("zeros", "w", force_zip64=True) as file:
            for _ in range(64):
                file.write(block)


def n15_zip_bomb_in_the_file(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: The kata's own entry unpacks to 200 MB, though its header in the archive says 100 bytes.
    Status: refused
    Points: 0
    """
    path = packed(directory, {FILE: b"#" * (200 << 20)})
    size = struct.pack("<I", 200 << 20)
    path.write_bytes(path.read_bytes().replace(size, struct.pack("<I", 100)))


def n15_nested_bomb(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Archives in archives, five deep and eight wide, the innermost with 16 MB of zeros.
    Status: refused or missing
    Points: 0
    """
    inner = b"\0" * (1 << 24)
    for level in range(5):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(8):
                archive.writestr(f"{level}-{number}.zip", inner)
        inner = stream.getvalue()
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{ME}.zip").write_bytes(inner)


def n15_overlapping_zip(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A thousand entries of the directory of a ZIP archive share one piece of data.
    Status: refused or missing or failed
    Points: 0
    """
    stream = packed(directory, {"kernel": b"\0" * (1 << 24)}).read_bytes()
    start = stream.index(b"PK\x01\x02")
    end = stream.index(b"PK\x05\x06")
    entry = stream[start:end]
    entries = b"".join(entry.replace(b"kernel", f"f{number:05}".encode()) for number in range(1000))
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1000, 1000, len(entries), start, 0)
    (directory / f"{ME}.zip").write_bytes(stream[:start] + entries + tail)


def n15_many_entries(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A ZIP archive with 50,000 empty entries.
    Status: refused or failed
    Points: 0
    """
    packed(directory, {FILE: STUB, **{f"d/{number}": b"" for number in range(50_000)}})


def n15_encrypted(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A ZIP archive whose entries are marked as encrypted.
    Status: refused
    Points: 0
    """
    path = packed(directory, {FILE: STUB})
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)


def n15_truncated(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A ZIP archive without its second half.
    Status: refused
    Points: 0
    """
    path = packed(directory, {FILE: STUB * 100, "other.py": os.urandom(4000)})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def n15_damaged(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A ZIP archive whose data do not fit their checksum.
    Status: refused
    Points: 0
    """
    path = packed(directory, {FILE: STUB})
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(data)


def n15_unknown_method(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A ZIP archive that says it is compressed in a way that does not exist.
    Status: refused
    Points: 0
    """
    path = packed(directory, {FILE: STUB})
    data = bytearray(path.read_bytes())
    data[8] = 77
    data[data.index(b"PK\x01\x02") + 10] = 77
    path.write_bytes(data)


def n15_no_archive(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Files that are called .zip and .tar.gz and are none; one is empty.
    Status: refused
    Points: 0
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{ME}.zip").write_text("it is in the post")
    (directory / "eve.tar.gz").write_bytes(b"")
    (directory / "trent.tar").write_bytes(b"\0" * 100)


def n15_twice_the_same_name(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A ZIP archive with two entries of the kata's name, and further ones that differ in case alone.
    Status: refused or failed
    Points: 0
    """
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        directory.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(directory / f"{ME}.zip", "w") as archive:
            for name in (FILE, FILE, FILE.upper(), f"./{FILE}", f"x/../{FILE}"):
                archive.writestr(name, STUB)


def n15_names_without_sense(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Entries of a ZIP archive have names with control characters, reversed text, NUL bytes and 60,000 letters.
    Status: refused or failed
    Points: 0
    """
    packed(
        directory, {FILE: STUB, "\x1b[2J\n": "x", "\u202eyp.x": "x", "a" * 60_000: "x", "": "x", ".": "x", "b\0c": "x"}
    )


def n15_tar_slip(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Members of a tar archive climb out of the directory, or have absolute paths.
    Status: refused
    Points: 0
    """
    names = (FILE, "../HARM", "/tmp/HARM", "a/../../HARM")
    taped(directory, [(member(name), STUB.encode()) for name in names])


def n15_tar_links(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A tar archive makes a link to /tmp and writes through it, and hard links to files outside.
    Status: refused
    Points: 0
    """
    links = [member("out", tarfile.SYMTYPE, "/tmp"), member("out/HARM"), member(FILE, tarfile.LNKTYPE, "/etc/passwd")]
    taped(directory, [(links[0], b""), (links[1], b"HARM"), (links[2], b"")])


def n15_tar_devices(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Members of a tar archive are devices, pipes and programs with other people's rights.
    Status: refused
    Points: 0
    """
    odd = [member("zero", tarfile.CHRTYPE), member(FILE, tarfile.FIFOTYPE), member("sh", mode=0o6777)]
    odd[0].devmajor, odd[0].devminor = 1, 5
    taped(directory, [(info, b"") for info in odd])


def n15_tar_bomb(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A compressed tar archive unpacks to half a gigabyte.
    Status: refused
    Points: 0
    """
    directory.mkdir(parents=True, exist_ok=True)
    head = member("zeros")
    head.size = 512 << 20
    with gzip.open(directory / f"{ME}.tar.gz", "wb", compresslevel=1) as file:
        file.write(head.tobuf())
        for _ in range(32):
            file.write(b"\0" * (1 << 24))


def n15_tar_lies_about_its_size(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A member of a tar archive says that it has 8 exabytes; another has a negative size.
    Status: refused
    Points: 0
    """
    directory.mkdir(parents=True, exist_ok=True)
    head = member(FILE)
    head.size = 1 << 62
    with gzip.open(directory / f"{ME}.tar.gz", "wb") as file:
        file.write(head.tobuf(tarfile.GNU_FORMAT) + b"\0" * 4096)


# class 16: no source


def n16_not_utf8(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Latin-1 text without a declaration of it.
    Status: error or refused
    Points: 0
    """
    student(directory, source='NAME = "Verzögerung"\n'.encode("latin-1") + STUB.encode())


def n16_utf16(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: UTF-16 with its byte-order mark, as some editors save.
    Status: error or refused
    Points: 0
    """
    student(directory, source=STUB.encode("utf-16"))


def n16_syntax_error(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A bracket that is never closed.
    Status: error or refused
    Points: 0
    """
    student(directory, source="def delay(retry, *, base, cap:\n    return 1.0\n")


def n16_python_2(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A language of the past, indented with tabs and spaces.
    Status: error or refused
    Points: 0
    """
    student(directory, source='def delay(retry):\n\tif retry:\n        print "hello"\n')


def n16_empty(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: An empty file.
    Status: error or refused
    Points: 0
    """
    student(directory, source="")


def n16_nothing_handed_in(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: An empty directory.
    Status: missing
    Points: 0
    """
    only(directory)


def n16_other_file(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A file under another name.
    Status: missing
    Points: 0
    """
    (only(directory) / "homework.py").write_text(STUB)


def n16_word_document(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A photograph of the code, called backoff_schedule.py.
    Status: error or refused
    Points: 0
    """
    student(directory, source=b"\x89PNG\r\n\x1a\n" + os.urandom(10_000))


def n16_nul_bytes(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Source with NUL bytes in it.
    Status: error or refused
    Points: 0
    """
    student(directory, source=STUB.encode() + b"\0\0\0\n")


def n16_wrong_names(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: The functions are there, under other names.
    Status: error or failed
    Points: 0
    """
    student(directory, source=STUB.replace("delay", "get_delay").replace("Backoff", "BackOff"))


def n16_one_name_missing(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: One of the two names is missing.
    Status: error or failed
    Points: 0
    """
    student(directory, source=STUB[: STUB.index("class")])


def n16_missing_package(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Imports a package that is not installed, and a module of its own that was not handed in.
    Status: error
    Points: 0
    """
    student(directory, source=f"import redteam_no_such_package\nimport helper\n\n{STUB}")


def n16_unknown_encoding(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Declares an encoding that does not exist.
    Status: error or refused
    Points: 0
    """
    student(directory, source=f"# -*- coding: klingon -*-\n{STUB}")


def n16_encoding_that_is_none(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Declares an encoding from bytes to bytes.
    Status: error or refused
    Points: 0
    """
    student(directory, source=f"# coding: rot13\n{STUB}")


def n16_hidden_by_encoding(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Hides what it does from people and simple searches by the encoding UTF-7.
    Status: error or refused
    Points: 0
    """
    encoded = base64.b64encode("\nimport os\nos._exit(0)\n".encode("utf-16-be")).rstrip(b"=")
    student(directory, source=b"# coding: utf-7\n# +" + encoded + b"-\n" + STUB.encode())


def n16_hidden_by_escapes(directory: Path) -> None:
    r"""Kata: backoff_schedule
    Attack: Hides a statement in a comment, whose escapes the encoding unicode_escape turns into a line's end.
    Status: error or refused
    Points: 0
    """
    student(directory, source=b"# coding: unicode_escape\n# harmless \\nimport os\\nos._exit(0)\n" + STUB.encode())


def n16_future(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Wants features that Python will never have.
    Status: error or refused
    Points: 0
    """
    student(directory, source=f"from __future__ import braces\n{STUB}")


def n16_nested_brackets(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Brackets nested deeper than the parser goes.
    Status: error or refused
    Points: 0
    """
    student(directory, source=f"{STUB}\nx = {'(' * 5000}{')' * 5000}\n")


def n16_nested_operators(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Operators nested so deeply that the compiler, or whoever reads its tree, exhausts its stack.
    Status: error or refused or failed
    Points: 0
    """
    student(directory, source=f"{STUB}\nx = lambda y: {'-' * 100_000}y\nz = lambda y: {'y.' * 50_000}y\n")


def n16_long_literal(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A literal of 5 MB in one line, which takes the compiler a while.
    Status: failed or refused or error or timed-out
    Points: 0
    """
    student(directory, source=f"{STUB}\nx = [{'[], ' * 1_250_000}]\n")


def n16_constant_folding(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: Constants that the compiler computes beforehand, as large as it permits, thousands of times.
    Status: failed or refused or error or timed-out
    Points: 0
    """
    student(directory, source=STUB + "".join(f"x{n} = ({n},) * 200 + ('x' * 4000,) * 20\n" for n in range(20_000)))


def n16_huge(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A file of 50 MB, nearly all of it a comment.
    Status: refused
    Points: 0
    """
    student(directory, source=STUB.encode() + b"#" + b"x" * (50 << 20))


def n16_sparse(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: A file of a terabyte that takes no room on the disk.
    Status: refused
    Points: 0
    """
    path = student(directory) / FILE
    with path.open("r+b") as file:
        try:
            file.truncate(1 << 40)
        except OSError:
            file.truncate(1 << 30)


# honest


def n00_latin_1(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: none; a solution in Latin-1 that declares it.
    Status: passed
    Points: 17
    """
    text = (Path(__file__).parent / "honest/chatty.py").read_text(encoding="utf-8")
    source = f"# -*- coding: latin-1 -*-\n# Verzögerung\n{text}"
    student(directory, source=source.encode("latin-1"))


def n00_byte_order_mark(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: none; a solution with a byte-order mark and CR LF, as Windows saves.
    Status: passed
    Points: 17
    """
    student(directory, source=b"\xef\xbb\xbf" + (Path(__file__).parent / "honest/windows.py").read_bytes())


def n00_windows_archive(directory: Path) -> None:
    """Kata: backoff_schedule
    Attack: none; a solution in a ZIP archive as macOS and Windows make them.
    Status: passed
    Points: 17
    """
    source = (Path(__file__).parent / "honest/windows.py").read_bytes()
    junk = {f"__MACOSX/{ME}/._{FILE}": b"\0\5\x16\7", f"{ME}/.DS_Store": b"\0\0\0\1Bud1", f"{ME}/Thumbs.db": b"\xd0"}
    packed(directory, {f"{ME}/": "", f"{ME}/{FILE}": source, **junk})
