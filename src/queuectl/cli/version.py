"""`queuectl version`."""

from __future__ import annotations

import click

from queuectl import __version__
from queuectl.cli.verb import Verb


@click.command(cls=Verb, name="version")
def version_command() -> None:
    """Print the version.

    \b
    Examples:
      queuectl version
    """
    click.echo(f"queuectl, version {__version__}")
