"""The promise as laws: each checks a whole history and reports violations. Pure functions, one list.

A change that makes a new promise adds its law to `LAWS`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from queuectl.model.lifecycle import MAX_CRASHES, JobState
from queuectl.model.retry import RetryPolicy

from .history import Attempt, History
from .kinds import KINDS
from .nemesis import FREEZES
from .overlaps import overlaps
from .system import LEASE_SECONDS

ORDER_SECONDS = LEASE_SECONDS
"""So much later may a job begin than one that was due after it: so long may a runner that is held up keep it."""

FINAL = {JobState.COMPLETED, JobState.DEAD, JobState.CANCELLED}

PERMANENT_KEYS = {"schema", "origin", "dead_letter", "config", "wake:default", "pulse"}
"""What may be in the server beside the jobs once all is over; nothing that belongs to a runner."""


class Violation(NamedTuple):
    """A finding, and the law that it breaks."""

    law: str
    text: str


Law = Callable[[History], Iterator[str]]


def nothing_is_lost(history: History) -> Iterator[str]:
    """Every acknowledged job exists, in one final state, and there are no more jobs than were added.

    If a replica took over: every job that was acknowledged as durable.
    """
    jobs = history.final["jobs"]
    may_be_gone = history.volatile if history.loses_writes else frozenset()
    for job_id in history.kinds:
        if job_id not in jobs and job_id not in may_be_gone:
            yield f"{job_id} was acknowledged and is gone"
    for job_id, job in jobs.items():
        if job.get("status") not in FINAL:
            yield f"{job_id} ended as {job.get('status')}"
    surplus = len(jobs) - sum(job_id in jobs for job_id in history.kinds)
    if surplus > history.uncertain:
        yield f"{surplus} jobs more than were acknowledged; {history.uncertain} are uncertain"


def it_ends_as_its_command_does(history: History) -> Iterator[str]:
    """A job ends as its kind must, unless its workers died too often while running it."""
    for job_id, kind in history.kinds.items():
        job = history.final["jobs"].get(job_id, {})
        if job.get("status") in (None, KINDS[kind].ends) or _number(job, "crashes") >= MAX_CRASHES:
            continue
        yield f"{job_id} ({kind}) ended as {job['status']} ({job.get('reason')})"


def counts_add_up(history: History) -> Iterator[str]:
    """Hashes, indexes, the overview and the list of dead jobs agree."""
    survey, jobs = history.final["survey"], history.final["jobs"]
    truth = Counter(job.get("status") for job in jobs.values())
    for what, counts in (("indexes", survey["counts"]), ("overview", history.final["overview"])):
        if +Counter(counts) != truth:
            yield f"the {what} count {dict(+Counter(counts))}, the jobs are {dict(truth)}"
    listed = Counter(history.final["dead_letter"])
    for job_id, job in jobs.items():
        if (job.get("status") == JobState.DEAD) != bool(listed[job_id]):
            yield f"{job_id} is {job.get('status')} and {listed[job_id]} times in the list of dead jobs"


def each_job_has_its_place(history: History) -> Iterator[str]:
    """At every instant, each job is in the index of its state and in no other."""
    for sample in (*history.samples, history.final["survey"]):
        for job_id, status, places in sample["misplaced"]:
            yield f"{job_id} is {status} and in the indexes [{places}]"


def processing_means_leased(history: History) -> Iterator[str]:
    """At every instant, processing and leased jobs are the same; at the end there are none."""
    for sample in (*history.samples, history.final["survey"]):
        different = set(sample["processing"]) ^ set(sample["leased"])
        for job_id in different:
            yield f"{job_id} is only one of processing and leased"
    if history.final["survey"]["leased"]:
        yield f"leased at the end: {history.final['survey']['leased']}"


def the_fence_rises(history: History) -> Iterator[str]:
    """No fence serves two executions, later executions have higher ones, and none is above the job's."""
    for job_id, attempts in history.by_job().items():
        for one, other in pairwise(attempts):
            if one.fence == other.fence:
                yield f"{job_id} ran twice with fence {one.fence}"
            elif other.started < one.started:
                yield f"{job_id} began with fence {other.fence} before it began with {one.fence}"
        job = history.final["jobs"].get(job_id, {})
        if attempts[-1].fence > _number(job, "fence"):
            yield f"{job_id} ran with fence {attempts[-1].fence}, the server knows {job.get('fence')}"


def one_result_for_a_fence(history: History) -> Iterator[str]:
    """The attempt number rises with results, so at most by one per fence, and never falls."""
    for job_id, attempts in history.by_job().items():
        for one, other in pairwise(attempts):
            if not 0 <= other.number - one.number <= max(1, other.fence - one.fence):
                yield f"{job_id}: attempt {one.number}, then {other.number} (fences {one.fence}, {other.fence})"
        job = history.final["jobs"].get(job_id, {})
        results = _number(job, "attempts") + _number(job, "crashes")
        if results > _number(job, "fence"):
            yield f"{job_id} has {results} results of {job.get('fence')} leases"
        unseen = job.get("reason", "").startswith("timed out")  # perhaps before it could write a note
        if _number(job, "attempts") > attempts[-1].number + unseen:
            yield f"{job_id} counts {job.get('attempts')} attempts, its last was {attempts[-1].number}"


def no_result_without_a_run(history: History) -> Iterator[str]:
    """A job recorded as completed did exit with 0, under the last fence that ran."""
    by_job = history.by_job()
    for job_id, job in history.final["jobs"].items():
        if job.get("status") != JobState.COMPLETED:
            continue
        attempts = by_job.get(job_id, [])
        if not any(a.exit_code == 0 and a.fence == _number(job, "fence") for a in attempts):
            yield f"{job_id} is completed with fence {job.get('fence')}, and no run with it ended with 0"


def attempts_do_not_overlap(history: History) -> Iterator[str]:
    """Attempts don't overlap unless the earlier worker was frozen, or had just been killed; see `overlaps`."""
    for overlap in overlaps(history):
        if overlap.is_violation:
            yield (
                f"{overlap.job_id} ran with fences {overlap.earlier.fence} and {overlap.later.fence} at once for "
                f"{overlap.seconds:.3f} s ({overlap.why or 'no fault explains it'})"
            )


def caps_hold(history: History) -> Iterator[str]:
    """Attempts and crashes stay within their caps."""
    for job_id, job in history.final["jobs"].items():
        most = _policy(job).max_retries + 1
        if _number(job, "attempts") > most:
            yield f"{job_id} had {job['attempts']} attempts of {most}"
        if _number(job, "crashes") > MAX_CRASHES:
            yield f"{job_id} had {job['crashes']} crashes"


def retries_wait(history: History) -> Iterator[str]:
    """A retry begins no sooner after the failure before it than the formula says."""
    for job_id, attempts in history.by_job().items():
        job = history.final["jobs"].get(job_id)
        if job is None:
            continue
        for one, other in pairwise(attempts):
            if other.number == one.number + 1:
                earliest = one.last + _policy(job).delay_seconds(one.number - 1)
                if other.started < earliest:
                    yield f"{job_id} began attempt {other.number} {earliest - other.started:.3f} s too early"


def retries_come_in_order(history: History) -> Iterator[str]:
    """Of two waiting jobs, the one that is due first begins first, to within `ORDER_SECONDS`.

    Counts only jobs that were seen to wait and were then begun by the first worker that took them.
    """
    due = {
        (job_id, float(at))
        for sample in history.samples
        for job_id, at in zip(sample["retries"][::2], sample["retries"][1::2], strict=True)
    }
    by_job = history.by_job()
    begun = []
    for job_id, at in due:
        for one, other in pairwise(by_job.get(job_id, ())):
            direct = (other.number, other.fence) == (one.number + 1, one.fence + 1)
            if direct and one.last < at <= other.started and not _was_frozen(history, other):
                begun.append((at, other.started, job_id))
    overtaker, overtaken_at = "", float("inf")
    for _, started, job_id in sorted(begun, reverse=True):
        if started > overtaken_at + ORDER_SECONDS:
            yield f"{job_id} was due before {overtaker}, and began {started - overtaken_at:.3f} s after it"
        if started < overtaken_at:
            overtaker, overtaken_at = job_id, started


def _was_frozen(history: History, attempt: Attempt) -> bool:
    return any(fault.name in FREEZES and attempt.runner in fault.pids for fault in history.faults)


def nothing_is_left(history: History) -> Iterator[str]:
    """No process, lease, worker key, pool record, or log of an unknown job is left; no traceback was shown."""
    final = history.final
    for pid, command in final["processes"]:
        yield f"process {pid} of a job is alive: {command!r}"
    # On a full disk a pool can't record its runners. Messages for a killed runner then expire.
    expiring = ("control:", "claimed:") if any(fault.name == "fill_disk" for fault in history.faults) else ()
    for key in final["keys"]:
        if key not in PERMANENT_KEYS and not key.startswith(expiring):
            yield f"the key {key} is left"
    for record in final["records"]:
        yield f"the pool's record {record} is left"
    for log, job_id in final["logs"].items():
        if job_id not in final["jobs"]:
            yield f"the log {log} belongs to no job"
    if "Traceback" in final["messages"]:
        yield f"a traceback was shown: {final['messages'].partition('Traceback')[2][-1500:]}"


def it_drains(history: History) -> Iterator[str]:
    """All work is done within a limit after the last fault was undone and the last job was added."""
    if history.drain_seconds > history.bound_seconds:
        yield f"it took {history.drain_seconds:.1f} s to drain"


LAWS: list[Law] = [
    nothing_is_lost,
    it_ends_as_its_command_does,
    counts_add_up,
    each_job_has_its_place,
    processing_means_leased,
    the_fence_rises,
    one_result_for_a_fence,
    no_result_without_a_run,
    attempts_do_not_overlap,
    caps_hold,
    retries_wait,
    retries_come_in_order,
    nothing_is_left,
    it_drains,
]


OF_A_SERVER_THAT_KEEPS_ITS_WRITES = [the_fence_rises, one_result_for_a_fence]
"""Laws that nobody can keep if the server forgets a claim: the job is claimed again, with the same fence."""


OF_A_STEADY_CLOCK = [retries_wait, retries_come_in_order]
"""Laws that nobody can keep if the server's clock jumps: retries are due by it."""


def check(history: History) -> list[Violation]:
    """Return everything that breaks a law."""
    excused = OF_A_SERVER_THAT_KEEPS_ITS_WRITES if history.loses_writes else []
    if any(fault.name == "shift_server_clock" for fault in history.faults):
        excused = [*excused, *OF_A_STEADY_CLOCK]
    return [Violation(law.__name__, text) for law in LAWS if law not in excused for text in law(history)]


def _number(job: Mapping[str, Any], name: str) -> int:
    return int(job.get(name) or 0)


def _policy(job: Mapping[str, Any]) -> RetryPolicy:
    return RetryPolicy(int(job["max_retries"]), float(job["backoff_base"]), float(job["backoff_factor"]))
