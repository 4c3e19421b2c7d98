"""A command that says what is wrong with its arguments in an exception of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click


class TooManyWords(click.UsageError):
    """There are more arguments than the command takes: ``words``."""

    def __init__(self, words: list[str], ctx: click.Context) -> None:
        super().__init__(f"too many arguments: {' '.join(words)}", ctx)
        self.words = words


@contextmanager
def naming(ctx: click.Context) -> Iterator[None]:
    """Complete usage errors of the block with the context, which Click's parser leaves out of some."""
    try:
        yield
    except click.UsageError as error:
        error.ctx = error.ctx or ctx
        raise


class Verb(click.Command):
    """A command. Click alone would tell of additional arguments in a sentence only."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Raise TooManyWords for arguments that the command does not take."""
        ctx.allow_extra_args = True
        with naming(ctx):
            extra = super().parse_args(ctx, args)
        if extra and not ctx.resilient_parsing:
            raise TooManyWords(extra, ctx)
        return extra
