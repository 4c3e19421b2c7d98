"""The benchmarks' count of commands, on a server."""

from __future__ import annotations

from benchmarks.command_count import CommandCount, Monitor
from benchmarks.sandbox import Sandbox


def test_the_monitor_counts_what_happens_between_two_looks() -> None:
    with Sandbox() as sandbox, Monitor(sandbox) as monitor:
        sandbox.manager.enqueue(b"true")  # so that the server knows the script
        assert monitor.take().in_scripts > 0
        sandbox.manager.enqueue(b"true")
        count = monitor.take()
        assert count.sent == 1
        assert count.in_scripts > 1
        assert monitor.take() == CommandCount(0, 0)
