"""The basis of all tests: private servers, a storage on each, and protection of the user's own files."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import hypothesis
import pytest

from queuectl.server import binary
from queuectl.server.embedded import EmbeddedServer
from queuectl.storage import RedisStorage
from servers import Server, running

hypothesis.settings.register_profile("normal", deadline=None)
hypothesis.settings.register_profile("long", deadline=None, max_examples=5_000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "normal"))

MakeStorage = Callable[..., RedisStorage]

_numbers = count(1)


@pytest.fixture(autouse=True)
def queuectl_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The state folder of this test alone; an embedded server that was started there ends with the test.

    No test meets the user's own folder, configuration file or server. The path is short enough for a socket.
    """
    for name in [name for name in os.environ if name.startswith("QUEUECTL_")]:
        monkeypatch.delenv(name)
    folder = Path(tempfile.mkdtemp(prefix="qctl-"))
    configuration = folder / "config.toml"
    configuration.touch()
    home = folder / "h"
    monkeypatch.setenv("QUEUECTL_HOME", str(home))
    monkeypatch.setenv("QUEUECTL_CONFIG", str(configuration))
    monkeypatch.setenv("QUEUECTL_ALLOW_ROOT", "yes")  # for `sudo make test`
    yield home
    if (home / "server").exists():
        EmbeddedServer(str(home)).stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Server]:
    """The server that queuectl brings along; one for each process that runs tests."""
    with running(binary.find().path) as server:
        yield server


@pytest.fixture(scope="session")
def redis7_server() -> Iterator[Server]:
    """The oldest server that is supported: a redis-server of 7.0 or newer on PATH."""
    path = shutil.which("redis-server")
    if path is None:
        pytest.skip("no redis-server on PATH: apt install redis-server")
    found = binary._examine(path)
    if not isinstance(found, binary.ServerBinary):
        pytest.skip(f"no redis-server 7.0 or newer on PATH: {path} {found}")
    with running(path) as server:
        yield server


@pytest.fixture(params=["valkey", pytest.param("redis7", marks=pytest.mark.redis7)])
def make_storage(request: pytest.FixtureRequest) -> Iterator[MakeStorage]:
    """Makes storages on one server, each in a namespace of its own unless it is given one."""
    server: Server = request.getfixturevalue(f"{request.param}_server")
    made: list[RedisStorage] = []

    def make(namespace: str | None = None) -> RedisStorage:
        made.append(RedisStorage(server.url, namespace or new_namespace()))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def storage(make_storage: MakeStorage) -> RedisStorage:
    """A storage with nothing in it, on each backend in turn."""
    return make_storage()


@pytest.fixture
def valkey_storage(valkey_server: Server) -> Iterator[RedisStorage]:
    """A storage with nothing in it, for what doesn't depend on the backend."""
    storage = RedisStorage(valkey_server.url, new_namespace())
    yield storage
    storage.close()


@pytest.fixture
def named_queue(
    valkey_server: Server, queuectl_home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RedisStorage]:
    """An empty server that is named to the commands of this test, seen from outside."""
    monkeypatch.setenv("QUEUECTL_REDIS_URL", valkey_server.url)
    storage = RedisStorage(valkey_server.url)
    storage.r.flushall()
    yield storage
    storage.r.flushall()
    storage.close()


def new_namespace() -> str:
    """A namespace that no other test of this process has."""
    return f"test{next(_numbers)}"
