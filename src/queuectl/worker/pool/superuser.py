"""Refuses workers that would run jobs as root just because somebody typed `sudo`, unless an option allows it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from queuectl.errors import BadConfiguration

_NOBODY = 0xFFFFFFFF
"""The kernel's login uid for a process that no login started."""

_CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv")


def check(*, allowed: bool) -> None:
    """Refuse to run jobs as root for a person who is another user.

    We don't ask those whom their machine made root: a root login, a system service, a container, a CI job.
    Raises BadConfiguration.
    """
    if os.geteuid() != 0 or allowed or _is_contained(os.environ) or os.environ.get("CI"):
        return
    person = taken_by(os.environ, _login_uid())
    if person:
        raise BadConfiguration(
            f"These workers would run every job as root, but you are {person}.",
            "Start them without sudo. If root is meant: --allow-root, or QUEUECTL_ALLOW_ROOT=yes",
        )


def taken_by(environ: Mapping[str, str], login_uid: int) -> str:
    """Return the user, other than root, who became root with sudo, doas or su; "" for nobody else."""
    for name in (environ.get("SUDO_USER", ""), environ.get("DOAS_USER", "")):
        if name not in ("", "root"):
            return name
    return f"uid {login_uid}" if login_uid not in (0, _NOBODY) else ""


def _login_uid() -> int:
    """Return the user who logged in, even after `su`; _NOBODY where the system can't tell."""
    try:
        with open("/proc/self/loginuid", encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return _NOBODY


def _is_contained(environ: Mapping[str, str]) -> bool:
    return bool(environ.get("container")) or any(map(os.path.exists, _CONTAINER_FILES))
