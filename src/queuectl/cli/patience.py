"""How long a command that follows jobs waits for a server that went away."""

from __future__ import annotations

import click

from queuectl.cli.types import Seconds
from queuectl.worker.options import DEFAULT_LEASE_SECONDS

LONGEST_SECONDS = 366 * 86_400

patience_option = click.option(
    "--patience",
    type=Seconds(0, LONGEST_SECONDS),
    metavar="TIME",
    help=f"Wait this long for a server that goes away (default: {DEFAULT_LEASE_SECONDS:g}).",
)
