"""The installed `queuectl` command, as a shell would use it: runs it, waits for it, inspects it, and kills it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from queuectl.model.job import Job
from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage, reads
from queuectl.storage.calls.workers import overview
from waiting import wait_until

LONGEST_SECONDS = 60.0
"""No single command takes so long; it is there so that a hang fails instead of hanging."""

WARNINGS = "error,ignore::ResourceWarning"
"""A command ends soon and may leave its sockets to the system; every other warning is an error."""

Word = str | bytes


def program() -> str:
    """The `queuectl` that belongs to this Python."""
    beside = Path(sys.executable).with_name("queuectl")
    found = str(beside) if beside.exists() else shutil.which("queuectl")
    assert found, "queuectl is not installed: pip install -e ."
    return found


class Answer(NamedTuple):
    """The result of one command."""

    code: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        return self.raw.decode("utf-8", "surrogateescape")

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]

    @property
    def object(self) -> dict[str, Any]:
        (found,) = self.objects
        return found


def environment(changes: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """Return this process's environment with warnings as errors, and with changes: None removes a variable."""
    plain = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    merged = {
        **plain,
        # As if it were installed, so that jobs find it and hints need no path.
        "PATH": f"{os.path.dirname(program())}:{plain.get('PATH', os.defpath)}",
        "PYTHONWARNINGS": WARNINGS,
        "TERM": "xterm-256color",
        **(changes or {}),
    }
    return {name: value for name, value in merged.items() if value is not None}


def spawn(*words: Word, env: Mapping[str, str | None] | None = None, **options: Any) -> subprocess.Popen[bytes]:
    """Start `queuectl WORDS` without waiting for it."""
    settings: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "env": environment(env),
    }
    return subprocess.Popen([program(), *words], **(settings | options))


def finish(process: subprocess.Popen[bytes], stdin: bytes | None = None) -> Answer:
    """Wait for a started command to exit; return its output."""
    try:
        out, err = process.communicate(stdin, timeout=LONGEST_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"it did not end; it said {out!r} and {err!r}") from None
    return Answer(process.returncode, out or b"", (err or b"").decode("utf-8", "surrogateescape"))


def run(*words: Word, code: int | None = 0, stdin: bytes | None = None, **options: Any) -> Answer:
    """Run `queuectl WORDS`; check its exit code against ``code``, and that it shows no traceback."""
    if stdin is not None:
        options["stdin"] = subprocess.PIPE
    answer = finish(spawn(*words, **options), stdin)
    assert "Traceback" not in answer.err, answer.err
    assert code is None or answer.code == code, answer
    return answer


def shell(line: str) -> Answer:
    """Run a line of the shell."""
    done = subprocess.run(["/bin/sh", "-c", line], env=environment(), capture_output=True, timeout=60, check=False)
    return Answer(done.returncode, done.stdout, done.stderr.decode())


def enqueue(*words: Word, **options: Any) -> str:
    """Enqueue a command; return its id."""
    (job_id,) = run("enqueue", *words, **options).lines
    return job_id


def show(job_id: str) -> dict[str, Any]:
    """Return a job as `show --json` prints it."""
    return run("show", job_id, "--json").object


def counts() -> dict[str, int]:
    """Return state -> number of jobs, without states that have none."""
    return {state: count for state, count in run("status", "--json").object["jobs"].items() if count}


# Workers ------------------------------------------------------------------------------------------


@contextmanager
def pool(
    storage: RedisStorage,
    *options: str,
    count: int = 1,
    grace: float = 1,
    env: Mapping[str, str | None] | None = None,
    cwd: str | os.PathLike[str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `worker start` in the foreground, with its workers up, and drain it at the end of the block.

    It must not show a traceback.
    """
    before = set(storage.run(overview()).workers)
    words = ["worker", "start", "--count", str(count), "--grace", str(grace), *options]
    # A file, not a pipe: a runner that outlives its pool would block a reader that waits for the end.
    with tempfile.TemporaryFile() as said:
        process = spawn(*words, env=env, cwd=cwd, stdout=subprocess.DEVNULL, stderr=said)

        def messages() -> str:
            return os.pread(said.fileno(), 1 << 20, 0).decode("utf-8", "replace")

        def is_up() -> bool:
            assert process.poll() is None, messages()
            return len(set(storage.run(overview()).workers) - before) == count

        try:
            wait_until(is_up)
            yield process
            end_pool(process)
            assert "Traceback" not in messages(), messages()
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def end_pool(process: subprocess.Popen[bytes]) -> None:
    """Drain a pool and wait until it exits."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    process.wait(LONGEST_SECONDS)


def runners_of(process: subprocess.Popen[bytes]) -> list[int]:
    """Return the pids of a pool's runners."""
    return [pid for pid in children_of(process.pid) if b"guardian" not in Path(f"/proc/{pid}/cmdline").read_bytes()]


def job(storage: RedisStorage, job_id: str) -> Job:
    """Return a job as the server has it."""
    found = reads.job(storage, job_id)
    assert found is not None
    return found


def wait_for(storage: RedisStorage, job_id: str, *states: JobState, timeout: float = 30.0) -> Job:
    """Wait until a job is in one of these states."""
    wait_until(lambda: job(storage, job_id).state in states, timeout)
    return job(storage, job_id)


# Processes ----------------------------------------------------------------------------------------


def children_of(pid: int) -> list[int]:
    """Return the pids of a process's live children."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [child for child in map(int, text.split()) if is_alive(child)]


def is_alive(pid: int) -> bool:
    """Whether a process runs. A zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def kill_at_once(pids: Collection[int]) -> None:
    """SIGKILL processes so that none can react to another's death."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def processes_with(variable: bytes) -> list[int]:
    """Return the pids of the processes started with exactly this NAME=value, except this one."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if variable in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid() and is_alive(pid)]


def processes_of(job_id: str) -> list[int]:
    """Return the pids of a job's live processes, wherever they hide."""
    return processes_with(b"QUEUECTL_JOB_ID=" + job_id.encode())


def end_everything(home: Path) -> None:
    """Kill all processes of this state folder, which only one test uses. The server stays."""
    mark = b"QUEUECTL_HOME=" + os.fsencode(home)

    def all_gone() -> bool:
        left = processes_with(mark)
        for pid in left:
            try:
                handle = os.pidfd_open(pid)
            except OSError:
                continue
            if pid in processes_with(mark):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            os.close(handle)
        return not left

    wait_until(all_gone)


# Terminals ----------------------------------------------------------------------------------------


def on_terminal(
    *words: Word,
    columns: int = 80,
    stdin: bytes = b"",
    code: int | None = 0,
    env: Mapping[str, str | None] | None = None,
    errors_too: bool = True,
) -> str:
    """Run `queuectl WORDS` on a terminal of this width, type ``stdin``; return what the terminal received."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = spawn(
        *words, env=env, stdin=theirs, stdout=theirs, stderr=theirs if errors_too else subprocess.DEVNULL
    )
    os.close(theirs)
    os.write(ours, stdin)
    shown = bytearray()
    try:
        while data := os.read(ours, 65_536):
            shown += data
    except OSError:  # EIO: the other end is closed
        pass
    finally:
        os.close(ours)
    answer = finish(process)
    text = shown.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    assert code is None or answer.code == code, (answer.code, text)
    assert "Traceback" not in text, text
    return text


def without_colours(text: str) -> str:
    """Return ``text`` without the sequences that set a colour or weight; keep all others."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
