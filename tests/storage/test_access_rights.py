"""The access rights in the documentation are enough for each role, and no more than it needs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import cli
from queuectl.errors import BadConfiguration
from queuectl.server import binary
from queuectl.storage import RedisStorage
from queuectl.storage.calls import jobs
from queuectl.storage.replies import error_from
from servers import Server, running

PAGE = Path(__file__).parents[2] / "docs/reference/access-rights.md"
ROLES: dict[str, str] = {
    line.split()[2]: line for line in PAGE.read_text().splitlines() if line.startswith("ACL SETUSER")
}

READS = (
    ("status",), ("status", "--json"), ("list",), ("list", "--json", "--limit", "0"), ("dlq", "list"),
    ("worker", "list"), ("config", "show"), ("fsck",),
)  # fmt: skip
CHANGES = (
    ("enqueue", "true"), ("worker", "stop"), ("worker", "resume"), ("config", "set", "--max-retries", "1"),
    ("config", "reset"), ("queue", "clear", "--yes"), ("fsck", "--repair"),
)  # fmt: skip


@pytest.fixture(params=["valkey", pytest.param("redis7", marks=pytest.mark.redis7)])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server of its own, which keeps an append-only file, with a user for each role."""
    request.getfixturevalue(f"{request.param}_server")  # skips where it isn't installed
    program = shutil.which("redis-server") if request.param == "redis7" else None
    with running(program or binary.find().path, "--appendonly", "yes") as server:
        storage = RedisStorage(server.url)
        for line in ROLES.values():
            _allow(storage, line)
        yield server
        storage.close()


def _allow(storage: RedisStorage, line: str) -> None:
    rights = [word for word in line.split() if word != "+waitaof" or _has_waitaof(storage)]
    storage.exchange([tuple(rights)])


def _has_waitaof(storage: RedisStorage) -> bool:
    """Redis has it since 7.2."""
    ((found,),) = storage.exchange([("COMMAND", "INFO", "WAITAOF")])
    return found is not None


def at(server: Server, role: str) -> dict[str, str]:
    return {"QUEUECTL_REDIS_URL": f"unix://{role}:PASSWORD@{server.socket}"}


def test_every_role_has_its_rights() -> None:
    assert list(ROLES) == ["reader", "producer", "worker", "administrator"]
    assert not any("allkeys" in line or "~*" in line or "+@all" in line for line in ROLES.values())


def test_a_reader_reads_and_changes_nothing(server: Server) -> None:
    admin, reader = at(server, "administrator"), at(server, "reader")
    job_id = cli.enqueue("echo hello", env=admin)
    cli.run("worker", "start", "--burst", env=at(server, "worker"))
    waiting = cli.enqueue("true", env=admin)
    before = cli.run("list", "--json", env=admin).out
    for words in (*READS, ("show", job_id), ("show", waiting[:6]), ("logs", job_id)):
        assert cli.run(*words, env=reader).raw or words[:1] in (("dlq",), ("worker",)), words
    for words in (*CHANGES, ("cancel", waiting)):
        told = cli.run(*words, env=reader, code=78)
        assert "The server's user may not" in told.err
        assert "ACL SETUSER NAME" in told.err
    assert cli.run("list", "--json", env=admin).out == before


def test_a_producer_adds(server: Server) -> None:
    producer = at(server, "producer")
    assert cli.run("enqueue", "--timeout", "5", "true", env=producer).lines
    assert cli.run("enqueue", "--from", "-", env=producer, stdin=b"true\n" * 2_500).lines
    storage = RedisStorage(server.url)
    if _has_waitaof(storage):
        assert cli.run("enqueue", "--durable", "true", env=producer).lines
    storage.close()
    for words in (("queue", "clear", "--yes"), ("worker", "stop"), ("config", "reset")):
        assert "The server's user may not" in cli.run(*words, env=producer, code=78).err


def test_a_worker_works(server: Server) -> None:
    admin, worker = at(server, "administrator"), at(server, "worker")
    good = cli.enqueue("true", env=admin)
    bad = cli.enqueue("--max-retries", "1", "--backoff-base", "0", "false", env=admin)
    told = cli.run("worker", "start", "--burst", "--count", "2", env=worker)
    assert "may not" not in told.err
    assert cli.run("show", good, "--json", env=admin).object["state"] == "completed"
    assert cli.run("show", bad, "--json", env=admin).object["state"] == "dead"


def test_an_administrator_does_all(server: Server) -> None:
    admin = at(server, "administrator")
    for words in (*CHANGES, *READS):
        cli.run(*words, env=admin)
    assert cli.run("run", "echo hello", env=admin).out == "hello\n"
    bad = cli.enqueue("--max-retries", "0", "false", env=admin)
    cli.run("worker", "start", "--burst", env=admin)
    for words in (("dlq", "retry", bad), ("cancel", bad), ("dlq", "clear", "--yes"), ("enqueue", "--from", "-")):
        cli.run(*words, env=admin, stdin=b"true\n")


def test_no_role_reaches_another_queue(server: Server) -> None:
    for role in ROLES:
        told = cli.run("--namespace", "other", "status", env=at(server, role), code=78)
        assert "one of the queue's keys" in told.err


def test_the_error_names_the_right_that_is_missing(server: Server) -> None:
    admin = RedisStorage(server.url)
    admin.exchange(
        [("ACL", "SETUSER", "half", "on", ">PASSWORD", "~queuectl:*", "-@all", "+eval", "+info", "+get")]
    )
    half = RedisStorage(at(server, "half")["QUEUECTL_REDIS_URL"])
    with pytest.raises(BadConfiguration, match="may not run the command EVAL_RO") as caught:
        half.run(jobs.find("abcd"))
    assert "ACL SETUSER NAME +eval_ro" in caught.value.hint
    with pytest.raises(BadConfiguration, match=r"run the command TIME|does not say which"):
        half.run(jobs.prune())
    for storage in (admin, half):
        storage.close()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("NOPERM this user has no permissions to run the 'config|set' command", "run the command CONFIG|SET"),
        ("NOPERM User r has no permissions to run the 'set' command", "run the command SET"),
        (
            "ERR ACL failure in script: User r has no permissions to run the 'zcard' command",
            "run the command ZCARD",
        ),
        ("NOPERM No permissions to access a key", "use one of the queue's keys"),
        ("NOPERM No permissions to access a channel", "use one of the queue's channels"),
        ("ERR The user executing the script can't access at least one of the keys", "use one of the queue's keys"),
        ("ERR The user executing the script can't run this command", "does not say which"),
    ],
)
def test_the_words_of_each_server_are_understood(text: str, what: str) -> None:
    error = error_from(Exception(text))
    assert what in error.message
    assert error.exit_code == 78


def test_the_page_is_found_where_errors_say() -> None:
    (path,) = re.findall(r"docs/\S+\.md", error_from(Exception("NOPERM")).hint)
    assert (PAGE.parents[2] / path) == PAGE
