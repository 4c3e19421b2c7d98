"""Starts a pool in the background: in its own session, with its messages in a file."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Mapping

from queuectl.errors import QueuectlError
from queuectl.handover import HANDED_OVER
from queuectl.settings import Settings
from queuectl.worker.options import PoolOptions
from queuectl.worker.pool.record import pools_folder
from queuectl.worker.report import Reporter
from queuectl.worker.shortage import CANNOT_START, explained

# Not -m: that would first import from the current directory, whatever is there.
_PROGRAM = "import sys; sys.path[:] = filter(None, sys.path); from queuectl.__main__ import main; main()"

PATIENCE_SECONDS = 10.0
"""If no worker is up after this time, we tell the caller where the messages are."""

MESSAGES_BYTES = 1 << 20
"""The next pool truncates a message file that is larger than this."""


def start_detached(settings: Settings, options: PoolOptions, environ: Mapping[str, str] = os.environ) -> int:
    """Start a pool and wait until the server knows its workers; return its pid.

    ``environ`` becomes the environment of the pool, and so of its jobs.
    Raises QueuectlError with the pool's last messages if it exits instead.
    """
    with explained(CANNOT_START):
        return _start_detached(settings, options, environ)


def _start_detached(settings: Settings, options: PoolOptions, environ: Mapping[str, str]) -> int:
    path = os.path.join(pools_folder(settings), "messages.log")
    fresh = os.O_TRUNC if os.path.exists(path) and os.path.getsize(path) > MESSAGES_BYTES else 0
    messages = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | fresh, 0o600)
    start = os.lseek(messages, 0, os.SEEK_END)
    ready, announce = os.pipe()
    try:
        process = subprocess.Popen(
            _command(options, announce),
            env={**environ, **_environment(settings)},
            stdin=subprocess.DEVNULL,
            stdout=messages,
            stderr=messages,
            pass_fds=[announce],
            start_new_session=True,
        )
        os.close(announce)
        if not select.select([ready], [], [], PATIENCE_SECONDS)[0]:
            Reporter.say(f"the workers are not up yet; their messages are in {path}")
        if os.read(ready, 16):
            process.returncode = 0  # it outlives us; this object must not wait for it
            return process.pid
        process.wait()
        said = os.pread(messages, 1 << 16, start).decode("utf-8", "replace")
        raise QueuectlError(f"{CANNOT_START}: {_gist(said) or 'they exited at once'}")
    finally:
        os.close(ready)
        os.close(messages)


def _gist(said: str) -> str:
    """Return the first and the last message: what went wrong, and what came of it."""
    texts = [line.rpartition(" queuectl: ")[2] for line in said.splitlines() if line.strip()]
    texts = [text.removeprefix("Error: ").removeprefix(f"{CANNOT_START}: ") for text in texts]
    return "; ".join(dict.fromkeys([*texts[:1], *texts[-1:]]))


def _command(options: PoolOptions, announce: int) -> list[str]:
    words = [word for name, value in options.values().items() for word in options.table[name].words(value)]
    return [sys.executable, "-c", _PROGRAM, "worker", "start", *words, "--ready-fd", str(announce)]


def _environment(settings: Settings) -> dict[str, str]:
    # By environment and not by option: `ps` would show a password in a URL. The pool reads a URL from the
    # configuration file there again, so that it does not get into the jobs' environment.
    environment = {"QUEUECTL_HOME": settings.home, "QUEUECTL_NAMESPACE": settings.namespace}
    environment["QUEUECTL_APPENDFSYNC"] = settings.appendfsync
    environment["QUEUECTL_INSECURE_REDIS"] = "yes" if settings.insecure_redis else "no"
    if settings.redis_url and not settings.origins["redis_url"].startswith("file "):
        environment[HANDED_OVER] = settings.redis_url
    return environment
