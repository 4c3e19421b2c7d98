"""`queuectl enqueue --from`: adds many commands, and says how far it came."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from queuectl.cli.app import App
from queuectl.cli.interrupts import Interrupts, held_back
from queuectl.cli.screens.messages import note
from queuectl.cli.screens.terminal import is_terminal, print_ids
from queuectl.cli.screens.values import quantity
from queuectl.errors import QueuectlError

if TYPE_CHECKING:
    from queuectl.manager.queue_manager import OnWait
    from queuectl.options import JobOptions


class Addition:
    """Adds ``commands``. A person is told how many were added; a program gets their ids.

    After Ctrl-C or an error, it tells exactly which jobs were added.
    """

    def __init__(
        self, app: App, commands: list[bytes], options: JobOptions, *, durable: bool, as_json: bool
    ) -> None:
        self._app = app
        self._commands = commands
        self._options = options
        self._durable = durable
        self._as_json = as_json
        self._done = 0
        self._interrupts = Interrupts()
        self._unread: OSError | None = None
        self.counted = len(commands) > 1 and is_terminal() and not as_json
        """Whether the number is printed, and not the ids."""

    def run(self, on_wait: OnWait | None) -> None:
        """Add all of them; see `QueueManager` for ``on_wait``."""

        def wait(error: QueuectlError) -> None:
            self._interrupts.at_once = True
            if on_wait is not None:
                on_wait(error)

        with held_back() as self._interrupts:
            try:
                self._app.manager.enqueue_many(
                    self._commands,
                    self._options,
                    durable=self._durable,
                    on_added=self._added,
                    on_wait=on_wait and wait,
                )
            except QueuectlError as error:
                if 0 < self._done < len(self._commands):
                    error.message += f" {self._so_far()}"
                raise
            except KeyboardInterrupt:
                click.echo("", err=True)
                told = self._so_far() if self._done else "No job was added."
                unknown = self._interrupts.in_a_step and self._done < len(self._commands)
                doubt = " The server has not answered for those that follow." if unknown else ""
                note(f"Interrupted. {told}{doubt}")
                raise

    def check_output(self) -> None:
        """Raise the OSError with which printing ids failed, if one did."""
        if self._unread is not None:
            raise self._unread

    def _added(self, ids: list[str]) -> None:
        self._done += len(ids)
        all_done = self._done == len(self._commands)
        self._interrupts.at_once = all_done  # what may follow is the wait for a disk
        if self._unread is None and not self.counted:
            try:
                print_ids(ids, as_json=self._as_json)
            except OSError as error:  # the reader is gone, or a disk is full: the jobs are added all the same
                self._unread = error
        if not all_done:
            self._interrupts.check()
        elif self.counted:
            click.echo(f"{quantity(self._done, 'job')} added")

    def _so_far(self) -> str:
        printed = "" if self.counted else ", and their ids printed"
        return f"The first {self._done:,} of {len(self._commands):,} jobs were added{printed}."
