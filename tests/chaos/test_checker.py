"""The checker works: a clean history passes, and it catches each kind of violation."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from .checker import LAWS, check
from .history import Attempt, Fault, History, attempts_from, from_events
from .overlaps import overlaps

OK, FAILING, REPEATED = "aaaa000000000001", "bbbb000000000002", "cccc000000000003"
RUNNER, OTHER = 100, 200


def job(status: str, attempts: int, fence: int, crashes: int = 0) -> dict[str, str]:
    return {
        "status": status,
        "attempts": str(attempts),
        "fence": str(fence),
        "crashes": str(crashes),
        "max_retries": "2",
        "backoff_base": "0.5",
        "backoff_factor": "2",
    }


def run(job_id: str, number: int, fence: int, at: float, code: int | None, runner: int = RUNNER) -> Attempt:
    """Return an execution that takes a tenth of a second."""
    return Attempt(job_id, number, fence, f"w{runner}", 1000 + fence, runner, at, at + 0.1, code)


def clean() -> History:
    """Three jobs: one completes, one fails three times, one is run again because its worker was killed."""
    counts = {"completed": 2, "dead": 1}
    nowhere: dict[str, Any] = {"misplaced": [], "processing": [], "leased": [], "retries": []}
    return History(
        kinds={OK: "ok", FAILING: "fail", REPEATED: "nap"},
        uncertain=0,
        attempts=[
            run(OK, 1, 1, 10.0, 0),
            run(FAILING, 1, 1, 10.0, 3),
            run(FAILING, 2, 2, 10.7, 3),
            run(FAILING, 3, 3, 11.9, 3),
            run(REPEATED, 1, 1, 11.0, None),
            run(REPEATED, 1, 2, 12.0, 0, OTHER),
        ],
        faults=[Fault("kill_runner", 11.05, 11.05, frozenset({RUNNER}))],
        samples=[{**nowhere, "processing": [OK], "leased": [OK]}],
        final={
            "jobs": {OK: job("completed", 1, 1), FAILING: job("dead", 3, 3), REPEATED: job("completed", 1, 2, 1)},
            "survey": {**nowhere, "counts": {**counts, "pending": 0}},
            "overview": {**counts, "pending": 0},
            "dead_letter": [FAILING],
            "keys": ["dead_letter", "schema"],
            "logs": {f"{OK}.1.1.log": OK},
            "records": [],
            "processes": [],
            "messages": "queuectl: runner x died (signal 9); its jobs go back to the queue",
        },
        drained_at=14.0,
    )


def test_a_clean_history_passes() -> None:
    assert check(clean()) == []


# Violations ---------------------------------------------------------------------------------------

Break = Callable[[History], History]


def final(change: Callable[[dict[str, Any]], object]) -> Break:
    """Change the final check."""

    def broken(history: History) -> History:
        change(history.final)
        return history

    return broken


def jobs(job_id: str, **fields: str) -> Break:
    return final(lambda found: found["jobs"][job_id].update(fields))


def runs(*more: Attempt) -> Break:
    return lambda history: history._replace(attempts=[*history.attempts, *more])


def instead(place: int, **fields: Any) -> Break:
    """Change one attempt."""

    def broken(history: History) -> History:
        history.attempts[place] = history.attempts[place]._replace(**fields)
        return history

    return broken


def sample(**fields: Any) -> Break:
    return lambda history: history._replace(samples=[{**history.samples[0], **fields}])


def both(*breaks: Break) -> Break:
    def broken(history: History) -> History:
        for one in breaks:
            history = one(history)
        return history

    return broken


# Both were seen to wait; the job due at 20 begins four seconds after the one due at 21.
OVERTAKEN = [OK, "20.0", REPEATED, "21.0"]
OVERTAKING = (run(OK, 2, 2, 25.5, 0), run(REPEATED, 2, 3, 21.5, 0))

VIOLATIONS: list[tuple[str, str, Break]] = [
    ("nothing_is_lost", "a job is gone", final(lambda found: found["jobs"].pop(OK))),
    ("nothing_is_lost", "a job is not over", jobs(OK, status="pending")),
    ("nothing_is_lost", "a job too many", final(lambda found: found["jobs"].update(dd=job("completed", 1, 1)))),
    ("it_ends_as_its_command_does", "a good job is dead", jobs(OK, status="dead")),
    ("it_ends_as_its_command_does", "a bad job is completed", jobs(FAILING, status="completed")),
    ("counts_add_up", "an index", final(lambda found: found["survey"]["counts"].update(completed=3))),
    ("counts_add_up", "the overview", final(lambda found: found["overview"].update(pending=1))),
    ("counts_add_up", "a dead job not in the list", final(lambda found: found["dead_letter"].clear())),
    ("counts_add_up", "another one in the list", final(lambda found: found["dead_letter"].append(OK))),
    ("each_job_has_its_place", "in no index", sample(misplaced=[[OK, "failed", ""]])),
    ("each_job_has_its_place", "in two", sample(misplaced=[[OK, "failed", "failed dead"]])),
    ("processing_means_leased", "no lease", sample(leased=[])),
    ("processing_means_leased", "only a lease", sample(processing=[])),
    ("processing_means_leased", "at the end", final(lambda f: f["survey"].update(leased=[OK], processing=[OK]))),
    ("the_fence_rises", "one twice", runs(run(OK, 1, 1, 12.0, 0)._replace(pid=7))),
    ("the_fence_rises", "falls", both(jobs(OK, fence="2"), instead(0, fence=2), runs(run(OK, 1, 1, 13.0, 0)))),
    ("the_fence_rises", "above the job's", jobs(REPEATED, fence="1")),
    ("one_result_for_a_fence", "two results of one", instead(3, number=4)),
    ("one_result_for_a_fence", "a result is forgotten", instead(3, number=1)),
    ("one_result_for_a_fence", "more results than leases", jobs(OK, crashes="1")),
    ("one_result_for_a_fence", "a result of no attempt", jobs(OK, attempts="2", fence="2")),
    ("no_result_without_a_run", "it did not end", instead(0, exit_code=None)),
    ("no_result_without_a_run", "an old run's result counts", jobs(OK, fence="2")),
    ("attempts_do_not_overlap", "no fault", instead(4, runner=300, last=12.05)),
    ("attempts_do_not_overlap", "a long one after a kill", both(instead(4, last=15.0), instead(5, last=15.0))),
    ("caps_hold", "attempts", jobs(FAILING, attempts="4")),
    ("caps_hold", "crashes", jobs(OK, crashes="6")),
    ("retries_wait", "the second is too early", instead(3, started=11.7)),
    ("retries_come_in_order", "the first comes last", both(sample(retries=OVERTAKEN), runs(*OVERTAKING))),
    ("nothing_is_left", "a process", final(lambda found: found["processes"].append([4, "sleep"]))),
    ("nothing_is_left", "a worker's record", final(lambda found: found["keys"].append("worker:w-1"))),
    ("nothing_is_left", "messages for a runner", final(lambda found: found["keys"].append("control:w"))),
    ("nothing_is_left", "a pool's record", final(lambda found: found["records"].append("4-a.json"))),
    ("nothing_is_left", "a log", final(lambda found: found["logs"].update({"dd.1.1.log": "dd"}))),
    ("nothing_is_left", "a traceback", final(lambda found: found.update(messages="Traceback ..."))),
    ("it_drains", "late", lambda history: history._replace(drained_at=99.0)),
]


@pytest.mark.parametrize(
    ("law", "break_it"), [pytest.param(law, broken, id=f"{law}: {what}") for law, what, broken in VIOLATIONS]
)
def test_a_violation_is_caught(law: str, break_it: Break) -> None:
    assert law in {violation.law for violation in check(break_it(copy.deepcopy(clean())))}


def test_every_law_is_tried() -> None:
    assert {law for law, _, _ in VIOLATIONS} == {law.__name__ for law in LAWS}


# Overlaps -----------------------------------------------------------------------------------------


def overlapping(fault: Fault, until: float) -> History:
    """The repeated job's first run, begun at 11.0, is still seen at ``until``; the next one began at 16.0."""
    history = clean()
    first = history.attempts[4]._replace(last=until)
    second = history.attempts[5]._replace(started=16.0, last=20.0)
    return history._replace(attempts=[*history.attempts[:4], first, second], faults=[fault], drained_at=21.0)


def test_an_overlap_is_explained_by_a_worker_that_was_frozen_beyond_its_lease() -> None:
    history = overlapping(Fault("freeze_runner", 12.0, 16.5, frozenset({RUNNER})), until=16.6)
    assert check(history) == []
    (found,) = overlaps(history)
    assert (found.why, round(found.seconds, 3)) == ("frozen", 0.6)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("freeze_runner", 12.0, 16.5, frozenset({OTHER})),
        Fault("freeze_runner", 12.0, 13.0, frozenset({RUNNER})),
        Fault("freeze_runner", 15.5, 20.0, frozenset({RUNNER})),
        Fault("kill_server", 12.0, 12.0, frozenset({RUNNER})),
        Fault("kill_runner", 16.2, 16.2, frozenset({RUNNER})),
    ],
    ids=["of another", "too short", "too late for its lease to end", "no freeze", "killed only afterwards"],
)
def test_other_faults_explain_no_overlap(fault: Fault) -> None:
    assert [v.law for v in check(overlapping(fault, until=16.6))] == ["attempts_do_not_overlap"]


def test_a_thawed_worker_has_to_end_its_job_soon() -> None:
    fault = Fault("freeze_runner", 12.0, 16.5, frozenset({RUNNER}))
    assert [v.law for v in check(overlapping(fault, until=19.0))] == ["attempts_do_not_overlap"]


def test_a_killed_worker_s_job_may_live_for_a_moment() -> None:
    fault = Fault("kill_all", 12.0, 12.0, frozenset({RUNNER}))
    assert check(overlapping(fault, until=17.0)) == []
    assert [v.law for v in check(overlapping(fault, until=18.5))] == ["attempts_do_not_overlap"]


# Reading ------------------------------------------------------------------------------------------


def test_notes_of_jobs_become_attempts() -> None:
    (one, other) = attempts_from(
        [
            "start aa 1 2 host-1 50 40 10000000000 -",
            "start aa 1 3 host-2 51 41 11000000000 -",
            "alive aa 1 2 host-1 50 40 12500000000 -",
            "end aa 1 3 host-2 51 41 13000000000 4",
        ]
    )
    assert one == Attempt("aa", 1, 2, "host-1", 50, 40, 10.0, 12.5, None)
    assert other == Attempt("aa", 1, 3, "host-2", 51, 41, 11.0, 13.0, 4)


def test_events_become_a_history() -> None:
    history = from_events(
        [
            {"at": 1.0, "kind": "run", "lease_seconds": 3.0, "bound_seconds": 60.0},
            {"at": 2.0, "kind": "acknowledged", "job": "ok", "ids": ["aa", "bb"]},
            {"at": 3.0, "kind": "fault", "name": "freeze_runner", "number": 1, "began": 2.9, "pids": [4]},
            {"at": 4.0, "kind": "unacknowledged", "job": "ok", "count": 3, "why": ""},
            {"at": 5.0, "kind": "healed", "number": 1},
            {"at": 6.0, "kind": "drained"},
            {"at": 7.0, "kind": "final", "jobs": {}},
        ],
        [],
    )
    assert history.kinds == {"aa": "ok", "bb": "ok"}
    assert history.faults == [Fault("freeze_runner", 2.9, 5.0, frozenset({4}))]
    assert (history.uncertain, history.drained_at) == (3, 6.0)
