"""The command line. Commands translate; managers decide. Each command is imported only when called."""

from __future__ import annotations

import click

from queuectl import __version__
from queuectl.cli.app import App
from queuectl.cli.groups import Program
from queuectl.handover import take_over


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Each command has its own help with examples: queuectl help enqueue",
)
@click.version_option(__version__, "-V", "--version", prog_name="queuectl")
@click.option(
    "--redis-url", metavar="URL", help="Server to use: redis://, rediss:// or unix:// (default: embedded)."
)
@click.option("--namespace", metavar="NAME", help="Prefix of all keys, for separate queues (default: queuectl).")
@click.option("--insecure-redis", is_flag=True, help="Use a server in the network that has no password.")
@click.pass_context
def cli(ctx: click.Context, redis_url: str | None, namespace: str | None, insecure_redis: bool) -> None:
    """A durable job queue for shell commands.

    \b
    Examples:
      queuectl enqueue 'make report'       # add a job; prints its id
      queuectl worker start --count 4      # run jobs, four at a time
      queuectl status                      # see how it goes
    """
    handed_over = take_over()
    ctx.obj = App(handed_over if redis_url is None else redis_url, namespace, insecure_redis)


__all__ = ["cli"]
