"""Which servers are used without a password: those that nobody else can reach, or that the user allowed."""

from __future__ import annotations

import pytest

from queuectl.errors import BadConfiguration, ServerUnreachable
from queuectl.settings import load
from queuectl.storage import client
from queuectl.storage.connect import open_connection

OPEN = (
    "redis://localhost", "redis://", "redis://127.0.0.1:1/0", "redis://127.9.9.9", "redis://[::1]:1", "rediss://localhost",
    "unix:///nowhere", "redis://:secret@queue.example.com", "rediss://ann:secret@192.0.2.7", "valkey://localhost",
    "redis://[::1%25lo]",
)  # fmt: skip

CLOSED = (
    "redis://192.0.2.7", "redis://0.0.0.0", "redis://[::]", "redis://[2001:db8::1]:6379/0", "redis://[fe80::1%25eth0]",
    "redis://queue.example.com", "redis://localhost.example.com", "redis://localhost.", "redis://127.0.0.1.example.com",
    "redis://127.1", "redis://2130706433", "redis://0x7f000001", "redis://[::ffff:192.0.2.7]", "redis://10.0.0.1",
    "rediss://queue.example.com", "valkeys://192.0.2.7", "redis://:@192.0.2.7", "redis://ann:@192.0.2.7",
    "rediss://192.0.2.7?ssl_ca_certs=/etc/ca.pem", "redis://256.0.0.1", "redis://xn--localhost-", "redis://ⓛocalhost",
)  # fmt: skip


@pytest.fixture(autouse=True)
def nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(host: str, port: int, timeout_seconds: float) -> object:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(client, "_connect_tcp", refuse)


@pytest.mark.parametrize("url", OPEN)
def test_these_are_tried(url: str) -> None:
    with pytest.raises(ServerUnreachable):
        open_connection(load(redis_url=url))


@pytest.mark.parametrize("url", CLOSED)
def test_these_are_refused_unless_asked_for(url: str) -> None:
    with pytest.raises(BadConfiguration, match="no password") as refused:
        open_connection(load(redis_url=url))
    assert "--insecure-redis" in refused.value.hint
    with pytest.raises((ServerUnreachable, BadConfiguration)) as tried:
        open_connection(load(redis_url=url, insecure_redis=True))
    assert "no password" not in tried.value.message


def test_a_certificate_of_ours_stands_for_a_password() -> None:
    with pytest.raises(BadConfiguration, match="TLS files"):  # that are not there
        open_connection(load(redis_url="rediss://192.0.2.7?ssl_certfile=/nowhere.pem"))


@pytest.mark.parametrize(
    "scheme", ["redis+sentinel", "sentinel", "rediss+cluster", "http", "file", "tcp", "redis-socket"]
)
def test_there_is_no_other_kind_of_address(scheme: str) -> None:
    with pytest.raises(BadConfiguration, match="scheme"):
        open_connection(load(redis_url=f"{scheme}://192.0.2.7"))
