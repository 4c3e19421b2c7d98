"""The table of options: what a declaration says, and what derives from it."""

from __future__ import annotations

from queuectl.options import OPTIONS, JobOptions
from queuectl.options.table import Options


def test_options_come_in_the_order_in_which_their_groups_are_named() -> None:
    groups = [group for group in JobOptions.__bases__ if issubclass(group, Options)]
    assert list(OPTIONS) == [name for group in groups for name in group.table]
