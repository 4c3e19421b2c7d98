"""A shell with its own terminal and home folder, where the commands of a page run one after another.

They have real workers and an embedded server. Nothing of the user's own queue is touched.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from pathlib import Path

COLUMNS = 80
LONGEST_SECONDS = 60.0
"""No command of a page takes so long; a hang fails instead of hanging."""

_DONE = re.compile(rb"\x1e(\d+)\x1e\r?\n")
_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Shell:
    """Bash, fed one command at a time. Commands share its directory and its variables."""

    def __init__(self, colours: bool = False, columns: int = COLUMNS) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="qd-", dir="/tmp"))  # a socket's path is short
        self._terminal, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        script, self._commands = os.pipe()
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc", f"/dev/fd/{script}"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=self._environment(colours),
            cwd=self.home,
            pass_fds=(script,),
            start_new_session=True,
        )
        os.close(theirs)
        os.close(script)
        self.run(f"exec {script}<&-")

    def _environment(self, colours: bool) -> dict[str, str]:
        beside = str(Path(sys.executable).parent)
        plain = {
            "HOME": str(self.home),
            "PATH": f"{beside}:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "TERM": "xterm-256color",
            "QUEUECTL_ALLOW_ROOT": "yes",  # for `sudo make test`
        }
        return plain if colours else {**plain, "NO_COLOR": "1"}

    def run(self, command: str) -> str:
        """Run a command, and wait for it. Gives all that the terminal got, with its control sequences."""
        # The last part lets the next command see the exit code of this one in `$?`.
        done = "_code=$?; printf '\\036%s\\036\\n' $_code; (exit $_code)"
        os.write(self._commands, f"{command}\n{done}\n".encode())
        give_up = time.monotonic() + LONGEST_SECONDS
        got = b""
        while not (end := _DONE.search(got)):
            ready, _, _ = select.select([self._terminal], [], [], max(0.0, give_up - time.monotonic()))
            if not ready:
                raise TimeoutError(f"after {LONGEST_SECONDS:.0f} seconds it still ran: {command}\n{got.decode()}")
            got += os.read(self._terminal, 65_536)
        return got[: end.start()].decode("utf-8", "replace").replace("\r\n", "\n")

    def close(self) -> None:
        """Stop everything that was started here, and remove the folder."""
        self.run("cd; queuectl worker stop >/dev/null 2>&1")
        self._process.kill()
        self._process.wait()
        os.close(self._commands)
        os.close(self._terminal)
        self._kill_all()
        shutil.rmtree(self.home, ignore_errors=True)

    def _kill_all(self) -> None:
        give_up = time.monotonic() + 10
        while (left := list(self._processes())) and time.monotonic() < give_up:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)

    def _processes(self) -> Iterator[int]:
        """What has this home in its environment, or is the server of the state folder in it."""
        for process in Path("/proc").glob("[0-9]*"):
            try:
                of_ours = f"HOME={self.home}".encode() in (process / "environ").read_bytes().split(b"\0")
                if of_ours or str(self.home).encode() in (process / "cmdline").read_bytes():
                    yield int(process.name)
            except OSError:
                continue  # it is over, or another user's


def without_excuses(text: str) -> str:
    """The text without what `run` says when a very busy machine has no worker up after some seconds."""
    return re.sub(r"queuectl: the workers are not up yet; their messages are in\n?[^\n]*\n", "", text)


def plain(text: str) -> list[str]:
    """What a terminal shows of this text, line by line: without sequences, and with rewritten lines as they end."""
    lines = []
    for line in without_excuses(text).split("\n"):
        shown = ""
        for part in line.split("\r"):
            kept = _SEQUENCE.sub("", part)
            shown = kept if "\x1b[K" in part or "\x1b[2K" in part else kept + shown[len(kept) :]
        lines.append(shown.rstrip())
    while lines and not lines[-1]:
        lines.pop()
    return lines
