"""The jobs of the demonstration: what is run, with which options, and how it should end."""

from __future__ import annotations

import os
import shlex
import shutil
import sysconfig
from pathlib import Path
from typing import NamedTuple

from demo.queuectl import DemoError

FILES = 600
LEAST_FILES = 500

EXIT_CODE = 3
RETRIES = 3


class Work(NamedTuple):
    """Commands of one kind. ``options`` are those of `queuectl enqueue`."""

    title: str
    commands: list[str]
    options: list[str]


def compress(files: list[Path]) -> Work:
    """One checksum of the compressed contents of each file."""
    commands = [f"gzip -9 -c {shlex.quote(str(file))} | sha256sum" for file in files]
    return Work("files of Python's own library: gzip -9 -c FILE | sha256sum", commands, [])


def failing(folder: Path) -> Work:
    """Ten commands that always fail; the last one only until `missing_file` is there."""
    *printers, _ = complaints()
    commands = [f"echo {shlex.quote(text)} >&2; exit {EXIT_CODE}" for text in printers]
    commands.append(f"cat {shlex.quote(str(missing_file(folder)))} || exit {EXIT_CODE}")
    options = ["--max-retries", str(RETRIES), "--backoff-base", "0.1", "--backoff-factor", "2"]
    return Work(f"commands that fail each time, with exit code {EXIT_CODE}", commands, options)


def complaints() -> list[str]:
    """What each of the failing commands writes to its standard error, or a part of it."""
    return [*(f"printer {number} is out of paper" for number in range(1, 10)), "No such file"]


def missing_file(folder: Path) -> Path:
    """The file that one failing command wants."""
    return folder / "the missing file.txt"


def hanging() -> Work:
    """Three commands that never end by themselves, each in a nastier way."""
    commands = [
        "sleep 600",
        "sleep 600 & sleep 600",  # leaves a process behind
        "trap '' TERM; while :; do sleep 1; done",  # doesn't end when asked to
    ]
    options = ["--timeout", "1", "--max-retries", "1", "--backoff-base", "0.1"]
    return Work("commands that never end, with a time limit of 1 s", commands, options)


def second_time_lucky() -> Work:
    """Three commands whose second attempt succeeds."""
    test = '[ "$QUEUECTL_ATTEMPT" -ge 2 ] || { echo "not ready yet" >&2; exit 1; }'
    commands = [f"{test}; echo service {number} is ready" for number in range(1, 4)]
    options = ["--max-retries", "3", "--backoff-base", "0.2"]
    return Work("commands that fail once, then succeed", commands, options)


def real_files() -> list[Path]:
    """`FILES` files of the Python that runs us: its sources, and others where there are too few."""
    for program in ("gzip", "sha256sum"):
        if shutil.which(program) is None:
            raise DemoError(f"The jobs of this demonstration need the program {program}, which is not installed.")
    library = Path(sysconfig.get_paths()["stdlib"])
    found = [Path(folder, name) for folder, _, names in os.walk(library) for name in names]
    found = [file for file in found if "site-packages" not in file.parts and file.is_file()]
    # Sources first, and not Python's own tests, some of which are huge.
    found.sort(key=lambda file: (file.suffix != ".py", "test" in str(file.parent), str(file)))
    if len(found) < LEAST_FILES:
        raise DemoError(f"There are only {len(found)} files in {library}; {LEAST_FILES} are needed.")
    return found[:FILES]
