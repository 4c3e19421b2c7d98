"""Runs `queuectl` inside this process, for tests that call it thousands of times: same entry, same streams."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping
from typing import NamedTuple
from unittest import mock

from queuectl.__main__ import main


class Said(NamedTuple):
    """What one command gave."""

    code: int
    out: bytes
    err: bytes

    @property
    def both(self) -> str:
        return (self.out + self.err).decode("utf-8", "surrogateescape")


class _Bytes(io.BytesIO):
    def __init__(self, data: bytes = b"", *, terminal: bool = False) -> None:
        super().__init__(data)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def call(
    *words: str,
    stdin: bytes = b"",
    terminal: bool = False,
    env: Mapping[str, str] | None = None,
) -> Said:
    """Run `queuectl WORDS`; what it raises but for its exit is raised here. ``terminal``: its output meets one.

    A terminal's input is none: what asks is answered by the end of it.
    """
    out, err = _Bytes(terminal=terminal), _Bytes(terminal=terminal)
    streams = {
        "stdin": io.TextIOWrapper(_Bytes(stdin), encoding="utf-8", errors="strict"),
        "stdout": io.TextIOWrapper(out, encoding="utf-8", errors="strict", write_through=True),
        "stderr": io.TextIOWrapper(err, encoding="utf-8", errors="backslashreplace", write_through=True),
    }
    output = os.dup(1)  # the entry gives file 1 up when the output can't be written
    code: object = 0
    try:
        with (
            mock.patch.multiple(sys, argv=["queuectl", *words], **streams),
            mock.patch.dict(os.environ, env or {}),
            mock.patch.object(os, "isatty", return_value=terminal),
        ):
            main()
    except SystemExit as end:
        code = end.code
    finally:
        os.dup2(output, 1)
        os.close(output)
    assert code is None or isinstance(code, int), code
    return Said(code or 0, out.getvalue(), err.getvalue())
