"""Its own server, in-process commands, and nothing that starts, waits or leaves this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from queuectl.storage import RedisStorage


@pytest.fixture
def queue(named_queue: RedisStorage) -> RedisStorage:
    """The commands' server is not the embedded one."""
    return named_queue


@pytest.fixture(autouse=True)
def nothing_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands that would run workers or follow a job do all but that; no name is looked up."""
    from queuectl.cli import follow, logs
    from queuectl.storage import client
    from queuectl.worker.pool import detach
    from queuectl.worker.pool.pool import Pool
    from queuectl.worker.pool.temporary import TemporaryPool

    monkeypatch.setattr(Pool, "run", lambda pool: 0)
    monkeypatch.setattr(detach, "start_detached", lambda *arguments: 1)
    monkeypatch.setattr(follow, "follow_job", lambda app, job_id, *arguments, **options: app.manager.job(job_id))
    monkeypatch.setattr(logs, "follow_jobs", lambda *arguments, **options: 0)
    monkeypatch.setattr(TemporaryPool, "look", lambda pool: None)

    def no_network(host: str, port: int, timeout_seconds: float) -> object:
        client._socket.getaddrinfo(host, port, 0, client._socket.SOCK_STREAM, 0, client._socket.AI_NUMERICHOST)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(client, "_connect_tcp", no_network)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "execv", None)
