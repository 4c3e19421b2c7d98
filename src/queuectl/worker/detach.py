"""Starts a pool in the background: in a session of its own, its messages in a file."""

from __future__ import annotations

import os
import subprocess
import sys

from queuectl.errors import QueuectlError
from queuectl.settings import Settings
from queuectl.worker.options import PoolOptions

MESSAGES_BYTES = 1 << 20
"""A file of messages that has grown larger is begun anew by the next pool."""


def start_detached(settings: Settings, options: PoolOptions) -> int:
    """Start a pool and wait until its workers are known to the server; gives its pid.

    Raises QueuectlError with the pool's last words when it ends instead.
    """
    folder = os.path.join(settings.home, "pools")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    path = os.path.join(folder, "messages.log")
    fresh = os.O_TRUNC if os.path.exists(path) and os.path.getsize(path) > MESSAGES_BYTES else 0
    messages = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | fresh, 0o600)
    start = os.lseek(messages, 0, os.SEEK_END)
    ready, announce = os.pipe()
    try:
        process = subprocess.Popen(
            _command(options, announce),
            env={**os.environ, **_environment(settings)},
            stdin=subprocess.DEVNULL,
            stdout=messages,
            stderr=messages,
            pass_fds=[announce],
            start_new_session=True,
        )
        os.close(announce)
        if os.read(ready, 16):
            process.returncode = 0  # it lives on without us; this object must not wait for it
            return process.pid
        process.wait()
        said = os.pread(messages, 4096, start).decode("utf-8", "replace").strip()
        raise QueuectlError(f"The workers could not be started: {said or 'they ended at once'}")
    finally:
        os.close(ready)
        os.close(messages)


def _command(options: PoolOptions, announce: int) -> list[str]:
    words = [sys.executable, "-m", "queuectl", "worker", "start", "--count", str(options.workers)]
    words += ["--lease", str(options.lease_seconds), "--grace", str(options.grace_seconds)]
    words += ["--burst"] if options.burst else []
    words += ["--verbose" if options.verbose else "--quiet", "--ready-fd", str(announce)]
    return words


def _environment(settings: Settings) -> dict[str, str]:
    # By environment and not by option: a password in a URL would show in the list of processes.
    environment = {
        "QUEUECTL_HOME": settings.home,
        "QUEUECTL_NAMESPACE": settings.namespace,
        "QUEUECTL_APPENDFSYNC": settings.appendfsync,
    }
    return environment | ({"QUEUECTL_REDIS_URL": settings.redis_url} if settings.redis_url else {})
