"""Bad input gets the right exit code and one or two lines that help; nothing is lost or half-written."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli import (
    LONGEST_SECONDS,
    Answer,
    counts,
    enqueue,
    environment,
    finish,
    is_alive,
    job,
    on_terminal,
    pool,
    processes_of,
    processes_with,
    program,
    run,
    show,
    spawn,
    wait_for,
    without_colours,
)
from queuectl.model.lifecycle import JobState
from queuectl.server import binary
from queuectl.storage import RedisStorage
from queuectl.storage.calls.workers import overview
from servers import running
from steps import add_as
from waiting import wait_until

COMPLETED, DEAD, PENDING, PROCESSING = JobState.COMPLETED, JobState.DEAD, JobState.PENDING, JobState.PROCESSING

USAGE, NOT_FOUND, UNREACHABLE, BAD_CONFIGURATION, INTERRUPTED = 2, 3, 69, 78, 130

SECRET = "s3cret-pass-word"


def refused(*words: str | bytes, code: int, **options: object) -> str:
    """Run what has to be refused: that code, nothing on stdout, an error of at most two lines. Gives the error."""
    answer: Answer = run(*words, code=code, **options)  # type: ignore[arg-type]
    assert answer.raw == b""
    lines = answer.err.splitlines()
    assert lines[0].startswith("Error: ")
    assert 1 <= len(lines) <= 2, answer.err
    assert not any(line.isspace() or not line for line in lines)
    return answer.err


# Commands -----------------------------------------------------------------------------------------


def test_an_empty_command(queue: RedisStorage) -> None:
    for words in ([""], [" \t "], ["\n"], ["--", ""], ["--", "", "argument"], ["--timeout", "1", ""]):
        assert "empty" in refused("enqueue", *words, code=USAGE)
    assert "empty" in refused("run", "", code=USAGE)
    assert counts() == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "no command"),
        (b"\n \n\r\n", "no command"),
        (b"true\necho a\0b\ntrue\n", "command 2: the command has a nul byte"),
        (b"true\necho " + b"x" * 131_072 + b"\n", "command 2: the command has 131,077 bytes"),
    ],
    ids=["nothing", "blank", "NUL", "too long"],
)
def test_a_file_with_one_bad_command_adds_none(queue: RedisStorage, text: bytes, said: str) -> None:
    assert said in refused("enqueue", "--from", "-", code=USAGE, stdin=text).lower()
    assert counts() == {}


def test_the_longest_command_that_a_system_can_run_does_run(queue: RedisStorage) -> None:
    longest = b": " + b"x" * (131_071 - 2)
    (job_id,) = run("enqueue", "--from", "-", stdin=longest).lines
    refused("enqueue", "--from", "-", code=USAGE, stdin=longest + b"x")
    with pool(queue):
        wait_for(queue, job_id, COMPLETED)
    assert counts() == {"completed": 1}


def test_too_many_arguments(queue: RedisStorage) -> None:
    assert "1,000,000" in refused("enqueue", "--", "echo", *["x" * 100_000] * 10, code=USAGE)
    assert counts() == {}


@pytest.mark.parametrize("source", ["/nowhere/commands", "/", ""])
def test_a_file_that_cannot_be_read(source: str) -> None:
    assert "can't be read" in refused("enqueue", "--from", source, code=USAGE)


# Numbers ------------------------------------------------------------------------------------------

NOT_NUMBERS = ["-1", "-0.001", "nan", "inf", "1e400", "x", "", "0x10", "1e15", "1,5", "\x1b[2J", "9" * 5_000]
NOT_COUNTS = ["-1", "nan", "inf", "1.5", "1001", "x", "", "9" * 5_000]


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("--timeout", NOT_NUMBERS),
        ("--backoff-base", ["-1", "nan", "inf"]),
        ("--backoff-factor", ["-1", "nan", "1e9"]),
        ("--max-retries", NOT_COUNTS),
    ],
)
def test_a_number_out_of_bounds(option: str, values: list[str], queuectl_home: Path) -> None:
    for value in values:
        for command in (["enqueue"], ["config", "set"], ["run"])[: 3 if value == values[0] else 1]:
            error = refused(*command, f"{option}={value}", *["true"] * (command != ["config", "set"]), code=USAGE)
            assert option[2:] in error.lower()
            assert "\x1b" not in error
            assert len(error) < 300
    assert not queuectl_home.exists() or counts() == {}


def test_one_bad_setting_changes_none(queue: RedisStorage) -> None:
    refused("config", "set", "--max-retries", "5", "--backoff-base", "-1", code=USAGE)
    assert queue.r.exists("queuectl:config") == 0


@pytest.mark.parametrize(
    "words",
    [
        ["list", "--state", "bogus"],
        ["list", "--state", ""],
        ["list", "--limit", "-1"],
        ["list", "--limit", "many"],
        ["list", "--after", "garbage"],
        ["list", "--after", "nan:abcd"],
        ["list", "--after", "inf:abcd"],
        ["list", "extra"],
        ["worker", "start", "--count", "0"],
        ["worker", "start", "--count", "-3"],
        ["worker", "start", "--count", "two"],
        ["worker", "start", "--count", "999999"],
        ["worker", "start", "--lease", "0"],
        ["worker", "start", "--grace", "-1"],
        ["worker", "start", "--lease", "nan"],
        ["worker", "start", "--grace", "nan"],
        ["worker", "start", "--bogus"],
        ["worker", "stopp"],
        ["logs", "abcd", "--attempt", "0"],
        ["logs", "abcd", "--tail", "-1"],
        ["dlq", "retry"],
        ["dlq", "retry", "abcd", "--all"],
        ["config", "set"],
        ["show"],
        ["cancel"],
        ["run"],
        ["enqeue", "true"],
        ["\x1b[2J"],
        ["--bogus"],
        ["--namespace"],
    ],
    ids=" ".join,
)
def test_what_was_typed_wrongly(words: list[str]) -> None:
    assert "\x1b" not in refused(*words, code=USAGE)


def test_a_command_that_was_misspelt_is_guessed() -> None:
    assert "Did you mean enqueue" in refused("enqeue", "true", code=USAGE)


# Ids ----------------------------------------------------------------------------------------------

NO_IDS = [
    "../../etc/passwd",
    "../x",
    "*",
    "????",
    "[a-f]*",
    "abcd*",
    "",
    " ",
    "abc",
    "xyzw",
    "a" * 33,
    "/",
    "\x1b[2J",
]


def test_an_id_that_can_be_none(queue: RedisStorage) -> None:
    enqueue("true")
    for given in NO_IDS:
        assert "\x1b" not in refused("show", given, code=NOT_FOUND)
    for command in (["cancel"], ["logs"], ["logs", "-f"], ["logs", "--json"], ["dlq", "retry"]):
        for given in ("../../etc/passwd", "*"):
            refused(*command, given, code=NOT_FOUND)
    assert counts() == {"pending": 1}


def test_an_id_that_nobody_has(queue: RedisStorage) -> None:
    for command in ("show", "cancel", "logs"):
        assert "abcd1234" in refused(command, "abcd1234", code=NOT_FOUND)


def test_a_prefix_that_fits_several_jobs_lists_them(queue: RedisStorage) -> None:
    ids = ["abcd1234aaaa0000", "abcd1234bbbb0000", "abcd5678cccc0000"]
    add_as(queue, ids)
    for command in (["show"], ["cancel"], ["logs"], ["dlq", "retry"]):
        error = refused(*command, "abcd1234", code=NOT_FOUND)
        assert ids[0] in error
        assert ids[1] in error
        assert ids[2] not in error
    assert show("abcd5")["id"] == ids[2]
    assert counts() == {"pending": 3}


# Servers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:6379",
        "localhost:6379",
        "redis://localhost:port/0",
        "redis://localhost:70000/0",
        "redis://localhost/many",
        f"redis://:{SECRET}#x@localhost/0",
        "unix://relative/path",
        "redis://localhost/0?bogus=1",
        "rediss://localhost/0?ssl_ca_certs=/nowhere",
    ],
)
def test_a_url_that_is_wrong(url: str, queuectl_home: Path) -> None:
    for error in (
        refused("status", code=BAD_CONFIGURATION, env={"QUEUECTL_REDIS_URL": url}),
        refused("--redis-url", url, "enqueue", "true", code=BAD_CONFIGURATION),
    ):
        assert SECRET not in error
    assert not queuectl_home.exists()


@pytest.mark.parametrize(
    "words", [["status"], ["enqueue", "true"], ["worker", "start"], ["run", "true"]], ids=" ".join
)
def test_a_server_that_is_not_there(words: list[str]) -> None:
    for url in ("redis://127.0.0.1:1/0", "unix:///nowhere/redis.sock"):
        assert (
            "queuectl" not in refused(*words, code=UNREACHABLE, env={"QUEUECTL_REDIS_URL": url}).partition("\n")[0]
        )


def test_a_server_that_wants_a_password(tmp_path: Path) -> None:
    acl = tmp_path / "users.acl"
    acl.write_text(f"user default on >{SECRET} ~* &* +@all\n")
    with running(binary.find().path, "--aclfile", str(acl)) as server:
        path = server.socket
        for url in (f"unix://{path}", f"unix://:wrong-{SECRET}@{path}", f"unix://nobody:{SECRET}@{path}"):
            for words in (["status"], ["enqueue", "true"], ["worker", "start", "--detach"], ["config", "show"]):
                assert SECRET not in refused(*words, code=BAD_CONFIGURATION, env={"QUEUECTL_REDIS_URL": url})
        given = {"QUEUECTL_REDIS_URL": f"unix://:{SECRET}@{path}"}
        job_id = enqueue("true", env=given)
        assert run("show", job_id, "--json", env=given).object["status"] == "pending"


def test_a_password_shows_nowhere(tmp_path: Path, queuectl_home: Path) -> None:
    acl = tmp_path / "users.acl"
    acl.write_text(f"user default on >{SECRET} ~* &* +@all\n")
    with running(binary.find().path, "--aclfile", str(acl)) as server:
        env = {"QUEUECTL_REDIS_URL": f"unix://:{SECRET}@{server.socket}"}
        said = [run("worker", "start", "--detach", "--count", "2", env=env)]
        job_id = enqueue("sleep 100", env=env)
        wait_until(lambda: run("show", job_id, "--json", env=env).object["status"] == "processing")
        command_lines = [path.read_bytes() for path in map(Path, _command_lines())]
        for words in (
            ["status"],
            ["status", "--json"],
            ["config", "show", "--origin"],
            ["config", "show", "--origin", "--json"],
            ["worker", "list", "--json"],
            ["show", job_id, "--json"],
            ["cancel", job_id],
            ["worker", "stop", "--wait"],
        ):
            said.append(run(*words, env=env))
        said.append(run("server", "status", env=env, code=1))
        said.append(run("worker", "resume", env=env))
        said.append(run("worker", "stop", "--wait", env=env))
    said.append(run("status", env=env, code=UNREACHABLE))
    assert not any(SECRET in answer.out + answer.err for answer in said)
    assert "***" in "".join(answer.out for answer in said), "it did say which server it is"
    assert not any(SECRET.encode() in line for line in command_lines)
    written = [path for path in queuectl_home.rglob("*") if path.is_file() and not path.is_symlink()]
    assert written
    assert not any(SECRET.encode() in path.read_bytes() for path in written)


def _command_lines() -> list[str]:
    mark = b"QUEUECTL_HOME=" + os.fsencode(os.environ["QUEUECTL_HOME"])
    found = [f"/proc/{pid}/cmdline" for pid in processes_with(mark)]
    assert len(found) >= 2, "the pool and the job"
    return found


def test_a_replica(queuectl_home: Path) -> None:
    with running(binary.find().path, "--replicaof", "127.0.0.1 1") as server:
        for words in (["enqueue", "true"], ["status"], ["worker", "start"]):
            error = refused(*words, code=BAD_CONFIGURATION, env={"QUEUECTL_REDIS_URL": server.url})
            assert "replica of 127.0.0.1:1" in error


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-random", "volatile-lru"])
def test_a_server_that_evicts_keys(policy: str) -> None:
    with running(binary.find().path, "--maxmemory", "100mb", "--maxmemory-policy", policy) as server:
        env = {"QUEUECTL_REDIS_URL": server.url}
        if policy.startswith("allkeys"):
            for words in (["enqueue", "true"], ["status"], ["worker", "start"]):
                assert policy in refused(*words, code=BAD_CONFIGURATION, env=env)
        else:
            enqueue("true", env=env)  # jobs have no time to live, so it may not evict them


def test_a_server_without_memory_refuses_new_jobs_and_drains_the_old(queuectl_home: Path) -> None:
    with running(binary.find().path, "--maxmemory", "100mb", "--maxmemory-policy", "noeviction") as server:
        env = {"QUEUECTL_REDIS_URL": server.url}
        job_id = enqueue("echo done", env=env)
        storage = RedisStorage(server.url)
        storage.r.config_set("maxmemory", 1)
        assert "memory" in refused("enqueue", "true", code=1, env=env)
        with pool(storage, env=env):
            wait_for(storage, job_id, COMPLETED)
        assert run("status", "--json", env=env).object["jobs"]["completed"] == 1
        storage.close()


def test_a_program_that_is_no_redis(tmp_path: Path) -> None:
    code = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()\n"
        "print('up', flush=True)\n"
        "while True: c, _ = s.accept(); c.sendall(b'HTTP/1.1 400 Bad Request\\r\\n\\r\\n'); c.close()"
    )
    path = tmp_path / "s.sock"
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        refused("status", code=UNREACHABLE, env={"QUEUECTL_REDIS_URL": f"unix://{path}"})
        process.kill()


# State folder and configuration -------------------------------------------------------------------


def unwritable(tmp_path: Path) -> Path:
    """A folder in which we can't make another. The administrator can, nearly everywhere."""
    if os.geteuid() == 0:
        return Path("/sys")
    folder = tmp_path / "read-only"
    folder.mkdir()
    folder.chmod(0o500)
    return folder


def anothers(tmp_path: Path) -> Path:
    """A folder that belongs to another user."""
    if os.geteuid() != 0:
        return Path("/")
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65_534, 65_534)
    return folder


def open_to_all(tmp_path: Path) -> Path:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


def a_file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("not a folder")
    return tmp_path / "file"


@pytest.mark.parametrize(
    "make",
    [
        lambda tmp_path: unwritable(tmp_path) / "home",
        anothers,
        open_to_all,
        a_file,
        lambda tmp_path: a_file(tmp_path) / "home",
    ],
    ids=["read-only", "another's", "open to all", "a file", "in a file"],
)
def test_a_state_folder_that_cannot_be_used(make: Callable[[Path], Path], tmp_path: Path) -> None:
    home = make(tmp_path)
    for words in (["enqueue", "true"], ["status"], ["worker", "start"], ["run", "true"]):
        error = refused(*words, code=BAD_CONFIGURATION, env={"QUEUECTL_HOME": str(home)})
        assert str(home) in error
    assert not home.is_dir() or not (home / "server").exists()


def test_a_socket_path_that_is_too_long_goes_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / ("long" * 30) / ("name" * 30)
    monkeypatch.setenv("QUEUECTL_HOME", str(home))
    socket = Path(run("server", "path").out.strip())
    try:
        job_id = enqueue("echo it works")
        assert socket.is_socket()
        assert len(os.fsencode(socket)) <= 107
        assert home not in socket.parents
        assert socket.parent.stat().st_mode & 0o077 == 0
        assert run("worker", "start", "--burst").code == 0
        assert run("logs", job_id).out == "it works\n"
    finally:
        run("server", "stop")
        shutil.rmtree(socket.parent)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"namespace = ", "isn't TOML"),
        (b"\xff\xfe\x00", "isn't UTF-8"),
        (b"namespace = 7", "not a string"),
        (b"nampespace = 'x'", "unknown key"),
        (b"namespace = 'a:b'", "can't be a namespace"),
        (b"appendfsync = 'sometimes'", "can't be appendfsync"),
        (b"home = ''", "is empty"),
    ],
)
def test_a_corrupt_configuration_file(content: bytes, said: str, tmp_path: Path, queuectl_home: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(content)
    for words in (["status"], ["enqueue", "true"]):
        assert said in refused(*words, code=BAD_CONFIGURATION, env={"QUEUECTL_CONFIG": str(file)})
    assert not queuectl_home.exists()


def test_a_configuration_file_that_cannot_be_read(tmp_path: Path, queuectl_home: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        assert str(path) in refused("status", code=BAD_CONFIGURATION, env={"QUEUECTL_CONFIG": str(path)})
    assert not queuectl_home.exists()


@pytest.mark.parametrize("namespace", ["a:b", "*", "{a", "", "x" * 65, "a b", "é"])
def test_a_namespace_that_is_none(namespace: str) -> None:
    refused("--namespace", namespace, "status", code=BAD_CONFIGURATION)


# Foreign records ----------------------------------------------------------------------------------

FOREIGN = {
    "no command": {"status": "pending"},
    "an empty command": {"status": "pending", "command": " "},
    "a command with a NUL": {"status": "pending", "command": "a\0b"},
    "a command that is too long": {"status": "pending", "command": "x" * 200_000},
    "a state that is none": {"status": "sleeping", "command": "true"},
    "attempts that are no number": {"status": "pending", "command": "true", "attempts": "many"},
    "attempts that are huge": {"status": "pending", "command": "true", "attempts": str(2**63 - 1)},
    "attempts that are negative": {"status": "pending", "command": "true", "attempts": "-5"},
    "retries that are absurd": {"status": "pending", "command": "true", "max_retries": "1e99"},
    "a timeout that is no number": {"status": "pending", "command": "true", "timeout": "nan"},
    "a fence that is no number": {"status": "pending", "command": "true", "fence": "x"},
    "crashes that are no number": {"status": "pending", "command": "true", "crashes": "x"},
    "times without end": {"status": "pending", "command": "true", "created_at": "inf", "finished_at": "1e300"},
    "times that are none": {"status": "pending", "command": "true", "created_at": "nan"},
    "a form that is none": {"status": "pending", "command": "true", "form": "spell"},
    "a directory with a NUL": {"status": "pending", "command": "true", "cwd": "a\0b"},
    "a queue with a NUL": {"status": "pending", "command": "true", "queue": "a\0b"},
    "an environment that is not there": {"status": "pending", "command": "true", "env": "0123456789"},
    "variables without a name": {"status": "pending", "command": "true", "env": "spoiled"},
    "bytes that are no text": {"status": "pending", "command": b"true", "queue": b"\xff", "reason": b"\xff"},
    "a state that is no text": {"status": b"\xff", "command": b"true"},
}


def test_hashes_that_are_no_valid_jobs_hold_nobody_up(queue: RedisStorage) -> None:
    foreign = {f"abcdef{number:010x}": name for number, name in enumerate(FOREIGN)}
    # As queuectl's own jobs are: in the list, the index and the table of prefixes.
    add_as(queue, foreign, max_retries="0")
    for job_id, name in foreign.items():
        queue.r.delete(f"queuectl:jobs:{job_id}")
        queue.r.hset(f"queuectl:jobs:{job_id}", mapping=FOREIGN[name])
    queue.r.hset("queuectl:env:spoiled", "variables", "=value")
    good = enqueue("echo good")

    with pool(queue) as process:
        wait_for(queue, good, COMPLETED)
        final = {"completed", "dead", "failed", "cancelled"}
        wait_until(lambda: all(_status(queue, job_id) in final or _aside(queue, job_id) for job_id in foreign))
        for words in (["list"], ["list", "--json"], ["status"], ["status", "--json"], ["dlq", "list"]):
            run(*words)
        for job_id in foreign:
            assert run("show", job_id, "--json", code=None).code in (0, 1)
        later = enqueue("echo still here")
        assert wait_for(queue, later, COMPLETED).crashes == 0
        assert process.poll() is None


def _status(queue: RedisStorage, job_id: str) -> str:
    (raw,) = queue.exchange([("HGET", f"queuectl:jobs:{job_id}", "status")])
    return raw.decode("ascii", "replace") if raw else ""


def _aside(queue: RedisStorage, job_id: str) -> bool:
    return job_id in queue.r.lrange("queuectl:set_aside", 0, -1)


def test_a_job_that_cannot_be_run_is_dead_with_a_reason(queue: RedisStorage) -> None:
    job_id = enqueue("true")
    queue.r.hset(f"queuectl:jobs:{job_id}", "timeout", "soon")
    with pool(queue):
        wait_until(lambda: queue.r.hget(f"queuectl:jobs:{job_id}", "status") == "dead")
    assert queue.r.lrange("queuectl:dead_letter", 0, -1) == [job_id]
    reason = queue.r.hget(f"queuectl:jobs:{job_id}", "detail")
    assert "not a valid job" in reason
    assert "timeout must be a number" in reason


@pytest.mark.parametrize(
    "foreign", ["../../etc/passwd", "not-an-id", "ABCD1234", "x" * 5_000, ""], ids=lambda t: t[:10]
)
def test_a_foreign_id_in_the_queue_is_set_aside(queue: RedisStorage, foreign: str) -> None:
    queue.r.hset(f"queuectl:jobs:{foreign}", mapping={"status": "pending", "command": "touch /tmp/never"})
    queue.r.lpush("queuectl:jobs", foreign)
    good = enqueue("true")
    with pool(queue):
        wait_for(queue, good, COMPLETED)
    assert queue.r.lrange("queuectl:set_aside", 0, -1) == [foreign]
    assert "set aside" in run("status").out.lower()
    assert run("status", "--json").object["set_aside"] == [foreign]


def test_a_key_of_another_type_is_set_aside(queue: RedisStorage) -> None:
    queue.r.set("queuectl:jobs:abcdef0123456789", "a string")
    queue.r.lpush("queuectl:jobs", "abcdef0123456789")
    good = enqueue("true")
    with pool(queue):
        wait_for(queue, good, COMPLETED)
    assert queue.r.lrange("queuectl:set_aside", 0, -1) == ["abcdef0123456789"]


def test_ids_that_are_pushed_by_hand_run_once(queue: RedisStorage, tmp_path: Path) -> None:
    job_id = enqueue("echo x >> runs", cwd=tmp_path)
    queue.r.lpush("queuectl:jobs", job_id, job_id, "0123456789abcdef")
    assert run("worker", "start", "--burst", "--count", "4").code == 0
    assert (tmp_path / "runs").read_text() == "x\n"


# Two pools ----------------------------------------------------------------------------------------


def test_two_pools_share_the_queue(queue: RedisStorage, tmp_path: Path) -> None:
    with pool(queue, count=2) as first, pool(queue, count=2) as second:
        gate = tmp_path / "gate"
        held = [enqueue(f"until [ -e {gate} ]; do sleep 0.02; done") for _ in range(4)]
        for job_id in held:
            wait_for(queue, job_id, PROCESSING)
        wait_until(lambda: all(worker["job"] for worker in run("worker", "list", "--json").objects))
        workers = run("worker", "list", "--json").objects
        assert len({worker["name"] for worker in workers}) == 4
        assert {worker["pid"] for worker in workers} == {first.pid, second.pid}
        assert sorted(worker["job"] for worker in workers) == sorted(held)
        gate.touch()
        for job_id in held:
            assert wait_for(queue, job_id, COMPLETED).attempts == 1


# Streams ------------------------------------------------------------------------------------------


def shell(script: str) -> Answer:
    """Run a bash script in which $q is the program; gives the exit code of the first part of its pipeline."""
    done = subprocess.run(
        ["bash", "-c", script + '; exit "${PIPESTATUS[0]}"'],
        env=environment({"q": program()}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return Answer(done.returncode, done.stdout, done.stderr.decode())


def test_a_reader_that_has_seen_enough(queue: RedisStorage) -> None:
    run("enqueue", "--from", "-", stdin=b"echo a line that is not so short\n" * 5_000)
    for command in ("list --limit 0", "list --limit 0 --json"):
        answer = shell(f'"$q" {command} | head -n 1')
        assert (answer.code, len(answer.lines), answer.err) == (0, 1, "")


def test_a_reader_of_logs_that_has_seen_enough(queue: RedisStorage) -> None:
    job_id = enqueue("yes | head -c 5000000")
    assert run("worker", "start", "--burst").code == 0
    answer = shell(f'"$q" logs {job_id} | head -n 1')
    assert (answer.code, answer.raw, answer.err) == (0, b"y\n", "")


def test_a_disk_without_room_for_the_output(queue: RedisStorage) -> None:
    adding = ("enqueue true", "enqueue --json true", "enqueue --from - <<< true")
    for command in (*adding, "list", "list --json", "status"):
        answer = shell(f'"$q" {command} > /dev/full')
        assert answer.code == 1, command
        *told, error = answer.err.splitlines()
        assert error == "Error: The output can't be written: No space left on device."
        assert len(told) == (command in adding), "an id that can't be printed is told"
        if told:
            assert run("show", told[0].rpartition(" ")[2], "--json").object["state"] == "pending"
    assert counts() == {"pending": 3}, "the jobs were added all the same"


def test_streams_that_are_closed(queue: RedisStorage) -> None:
    assert shell('"$q" enqueue true >&-').code == 0
    assert shell('"$q" enqueue true 2>&- >&- <&-').code == 0
    assert shell('"$q" list >&-').code == 0
    assert shell('"$q" list 2>&-').code == 0
    assert shell('"$q" worker start --burst <&- >&- 2>&-').code == 0
    assert shell('"$q" enqueue --from - <&-').code == USAGE
    assert counts() == {"completed": 2}


# Terminals ----------------------------------------------------------------------------------------

HOSTILE = "printf '\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\u200b'; exit 3 # \x1b[1mbold\x1b[0m"
LONG = "echo " + "very " * 60 + "long"
WIDE = "echo " + "日本語" * 30


def test_forty_columns_are_enough(queue: RedisStorage) -> None:
    for command in (LONG, WIDE, HOSTILE, "false", "true"):
        enqueue("--max-retries", "0", command)
    with pool(queue, count=3):
        enqueue("sleep 100")
        wait_until(lambda: counts().get("processing"))
        for words in (["list"], ["status"], ["worker", "list"], ["dlq", "list"], ["config", "show", "--origin"]):
            shown = on_terminal(*words, columns=40, errors_too=False)
            assert shown
            for line in without_colours(shown).splitlines():
                assert _columns(line) <= 40, (words, line)
            plain = run(*words, env={"COLUMNS": "40"}).out
            assert max(map(_columns, plain.splitlines())) <= 40, (words, plain)
        run("cancel", queue.r.zrange("queuectl:running", 0, -1)[0])


def _columns(text: str) -> int:
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def test_no_order_to_a_terminal_gets_through(queue: RedisStorage, tmp_path: Path) -> None:
    folder = tmp_path / "dir\x1b[2Jname"
    folder.mkdir()
    job_id = enqueue("--max-retries", "0", HOSTILE, cwd=folder)
    missing = enqueue("--max-retries", "0", "--", "no-\x1b[2J-program", cwd=folder)
    assert run("worker", "start", "--burst").code == 0
    assert counts() == {"dead": 2}
    for words in (
        ["list"],
        ["dlq", "list"],
        ["status"],
        ["show", job_id],
        ["show", missing],
        ["logs", job_id],
        ["logs", "-f", job_id],
        ["logs", missing],
    ):
        for env in ({"NO_COLOR": "1"}, {}):
            shown = on_terminal(*words, env=env, code=1 if "-f" in words else 0)  # the job is dead
            assert shown
            rest = shown if env else without_colours(shown)
            assert not set(rest) & set("\x1b\x07\x9b\u202e\u200b\r"), (words, rest)
    shown = on_terminal("run", "--max-retries", "0", HOSTILE, env={"NO_COLOR": "1"}, code=3)
    assert not set(shown) & set("\x1b\x07\x9b\u202e\u200b\r")


def test_a_worker_on_a_terminal_names_jobs_without_their_orders(queue: RedisStorage) -> None:
    enqueue("--max-retries", "0", HOSTILE)
    shown = on_terminal("worker", "start", "--burst", env={"NO_COLOR": "1"})
    assert re.search(r"dead .* exit 3: ", shown)
    assert not set(shown) & set("\x1b\x07\x9b\u202e\u200b\r")


def test_raw_output_is_given_when_it_is_asked_for(queue: RedisStorage) -> None:
    job_id = enqueue("printf '\\033[1mbold\\033[0m'")
    assert run("worker", "start", "--burst").code == 0
    assert on_terminal("logs", "--raw", job_id) == "\x1b[1mbold\x1b[0m"
    assert on_terminal("logs", job_id) == "bold"


def test_output_that_is_no_text_comes_back_exactly(queue: RedisStorage) -> None:
    every_byte = bytes(range(256))
    job_id = enqueue("".join(["printf '", *(f"\\{byte:03o}" for byte in every_byte), "'"]))
    assert run("worker", "start", "--burst").code == 0
    assert run("logs", job_id).raw == every_byte
    assert run("logs", "-f", job_id).raw == every_byte
    assert "\x1b" not in on_terminal("logs", job_id)


def test_a_terminal_that_knows_no_unicode(queue: RedisStorage) -> None:
    enqueue("echo é日本 " + "x" * 300)
    for words in (["list"], ["status"], ["list", "--json"]):
        run(*words, env={"PYTHONIOENCODING": "ascii"})
        run(*words, env={"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"})


# Ctrl-C -------------------------------------------------------------------------------------------


def interrupted(process: subprocess.Popen[bytes]) -> Answer:
    process.send_signal(signal.SIGINT)
    answer = finish(process)
    assert "Traceback" not in answer.err, answer.err
    assert answer.code == INTERRUPTED, answer
    return answer


def test_ctrl_c_while_it_reads_standard_input(queue: RedisStorage) -> None:
    process = spawn("enqueue", "--from", "-", stdin=subprocess.PIPE)
    wait_until(lambda: _waits_for_input(process.pid))
    interrupted(process)
    assert counts() == {}


def _waits_for_input(pid: int) -> bool:
    """Whether a process has begun to read: it is asleep, and has loaded all that it needs for that."""
    mapped = Path(f"/proc/{pid}/maps").read_text()
    state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    waits_in = Path(f"/proc/{pid}/wchan").read_text()
    return "/_click" in mapped or (state == b"S" and "pipe" in waits_in)


def test_ctrl_c_while_a_log_is_followed(queue: RedisStorage) -> None:
    with pool(queue):
        job_id = enqueue("echo begun; sleep 100")
        process = spawn("logs", "--follow", job_id)
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        interrupted(process)
        assert show(job_id)["status"] == "processing", "it goes on without its reader"
        run("cancel", job_id)
        wait_for(queue, job_id, JobState.CANCELLED)


def test_ctrl_c_in_a_run_leaves_the_job_in_the_queue(queue: RedisStorage) -> None:
    with pool(queue):
        process = spawn("run", "echo begun; sleep 100")
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        answer = interrupted(process)
        (job_id,) = queue.r.zrange("queuectl:running", 0, -1)
        assert f"queuectl logs -f {job_id[:8]}" in answer.err
        assert show(job_id)["status"] == "processing"
        run("cancel", job_id)
        wait_for(queue, job_id, JobState.CANCELLED)


def test_ctrl_c_in_a_run_with_a_temporary_worker_lets_it_finish(queue: RedisStorage, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    process = spawn("run", f"echo begun; until [ -e {gate} ]; do sleep 0.02; done")
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    (job_id,) = queue.r.zrange("queuectl:running", 0, -1)
    interrupted(process)
    assert processes_of(job_id)
    gate.touch()
    wait_for(queue, job_id, COMPLETED)
    wait_until(lambda: not queue.run(overview()).workers)


def test_ctrl_c_on_a_terminal_drains_the_workers(queue: RedisStorage) -> None:
    with pool(queue) as process:
        job_id = enqueue("trap '' INT; echo begun; sleep 0.3")
        wait_until(lambda: run("logs", job_id).out == "begun\n")
        process.send_signal(signal.SIGINT)
        assert finish(process).code == 0
    assert job(queue, job_id).state is COMPLETED
    assert not is_alive(process.pid)


@pytest.mark.parametrize("url", ["redis://192.0.2.7:6379/0", "rediss://queue.example.com", "redis://[2001:db8::1]"])
def test_a_server_that_anybody_can_write_to(url: str) -> None:
    answer = run("--redis-url", url, "status", code=78)
    assert "no password" in answer.err
    assert "--insecure-redis" in answer.err


@pytest.mark.parametrize("value", ["maybe", "2"])
def test_an_answer_that_is_neither_yes_nor_no(value: str) -> None:
    assert "yes or no" in run("status", code=78, env={"QUEUECTL_INSECURE_REDIS": value}).err
