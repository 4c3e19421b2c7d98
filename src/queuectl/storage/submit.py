"""The call that adds jobs; apart from the others, so that a short `enqueue` loads nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from queuectl.storage.encoding import number_text, pack_variables
from queuectl.storage.scripts import Call


def enqueue(
    jobs: Sequence[tuple[str, bytes]],
    *,
    defaults: Mapping[str, float],
    options: Mapping[str, str | bytes],
    variables: Mapping[bytes, bytes],
) -> Call[list[bytes]]:
    """Add ``(id, command)`` pairs with shared options; the reply is the script's."""
    default_pairs = [text for name, value in defaults.items() for text in (name, number_text(value))]
    option_pairs = [part for pair in options.items() for part in pair]
    job_pairs = [part for pair in jobs for part in pair]
    arguments: list[str | bytes | int] = [pack_variables(variables)]
    for section in (default_pairs, option_pairs, job_pairs):
        arguments += [len(section), *section]
    return Call("enqueue", tuple(arguments), list)
