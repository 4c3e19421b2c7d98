"""The name that `ps -o comm` and `top` show for our processes, instead of the interpreter's."""

from __future__ import annotations

POOL, RUNNER = "queuectl-pool", "queuectl-runner"
"""Linux keeps 15 characters."""


def set_title(name: str) -> None:
    """Name this process. Does nothing on systems without process names."""
    try:
        with open("/proc/self/comm", "w", encoding="ascii") as file:
            file.write(name)
    except OSError:
        pass
