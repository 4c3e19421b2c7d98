"""What `ps -o comm` and `top` show for a process of ours, instead of the interpreter's name."""

from __future__ import annotations

POOL, RUNNER = "queuectl-pool", "queuectl-runner"
"""Linux keeps 15 characters."""


def set_title(name: str) -> None:
    """Give this process a name. Does nothing where the system has no such thing."""
    try:
        with open("/proc/self/comm", "w", encoding="ascii") as file:
            file.write(name)
    except OSError:
        pass
