"""Every interleaving in the smallest useful scope; `make explore` walks larger ones."""

from __future__ import annotations

import pytest

from .defects import DEFECTS, FORGETS_CANCELLATION, Defect
from .laws import LAWS
from .scope import SHORT, Scope
from .walk import Result, explore


def told(result: Result) -> str:
    """Return the result, for a failure's message."""
    return "\n".join(
        [str(result), *(f"{one.broken.sentence} {one.broken.wrong}: {one.trace}" for one in result.violations)]
    )


def test_no_interleaving_breaks_a_law() -> None:
    result = explore(SHORT)
    print(result)
    assert not result.violations, told(result)
    assert result.states > 3_000


def test_a_cancellation_that_disown_forgets_is_found_by_the_shortest_way() -> None:
    (violation,) = explore(SHORT, FORGETS_CANCELLATION).violations
    assert violation.broken.law == FORGETS_CANCELLATION.law
    assert violation.trace == [
        "job 1 is added",
        "runner 1 claims 1, and the reply is lost",
        "job 1 is cancelled by somebody",
        "runner 1 connects again and disowns what it does not know",
    ]


ENOUGH = {
    "a retry leaves the job in the dead letter list": SHORT,
    "the workers can not be resumed": Scope(jobs=1, disturbances=1),
}
"""Defects that need another scope than one job and two disturbances, or a smaller one."""


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_a_deliberate_defect_is_found(defect: Defect) -> None:
    scope = ENOUGH.get(defect.name, Scope(jobs=1, disturbances=2))
    result = explore(scope, defect)
    assert [violation.broken.law for violation in result.violations] == [defect.law], told(result)


def test_every_law_is_a_sentence_of_its_own() -> None:
    sentences = [" ".join((law.__doc__ or "").split()) for law in LAWS]
    assert all(sentence.endswith(".") for sentence in sentences)
    assert len(set(sentences)) == len(sentences)
