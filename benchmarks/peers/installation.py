"""Peers from public packages: Python's and Node's into `build/peers/`, Debian's where this user may."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.folders import ROOT
from benchmarks.peers.peer import Unavailable

HERE = Path(__file__).parent
VENV = ROOT / "build" / "peers" / "venv"
NODE = ROOT / "build" / "peers" / "node"


def python_package(name: str) -> str:
    """The version of a package in `requirements.txt`; all of them are installed on first use."""
    _python_packages()
    tell = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))"
    return output(str(VENV / "bin" / "python"), "-c", tell, name)


def node_package(name: str) -> str:
    """The version of a package in `package.json`; all of them are installed on first use."""
    _node_packages()
    return output("node", "-p", f"require('{NODE}/node_modules/{name}/package.json').version")


def debian_package(package: str, program: str) -> None:
    """Install ``package`` if there is no ``program``."""
    if shutil.which(program) is None and shutil.which("apt-get"):
        sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
        for command in (["update", "-q"], ["install", "-y", "-q", package]):
            subprocess.run([*sudo, "apt-get", *command], check=False, stdin=subprocess.DEVNULL, capture_output=True)
    if shutil.which(program) is None:
        raise Unavailable(f"not installed: sudo apt install {package}")


def output(*command: str) -> str:
    """What a program says on its standard output; raises `Unavailable` if it fails or there is none."""
    try:
        ended = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except OSError as error:
        raise Unavailable(f"{command[0]}: {error.strerror}") from error
    if ended.returncode:
        told = ended.stderr.strip().splitlines() or [f"exit status {ended.returncode}"]
        raise Unavailable(f"{Path(command[0]).name}: {told[-1]}")
    return ended.stdout.strip()


# The list that was installed is kept beside what it lists: another one is installed anew.


@functools.cache
def _python_packages() -> None:
    wanted = HERE / "requirements.txt"
    if not _same(wanted, VENV / wanted.name):
        output(sys.executable, "-m", "venv", "--clear", str(VENV))
        output(str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "-r", str(wanted))
        shutil.copy(wanted, VENV)


@functools.cache
def _node_packages() -> None:
    wanted = HERE / "package.json"
    if not _same(wanted, NODE / "node_modules" / wanted.name):
        NODE.mkdir(parents=True, exist_ok=True)
        shutil.copy(wanted, NODE)
        output("npm", "install", "--prefix", str(NODE), "--no-audit", "--no-fund")
        shutil.copy(wanted, NODE / "node_modules")


def _same(wanted: Path, installed: Path) -> bool:
    return installed.exists() and wanted.read_bytes() == installed.read_bytes()
