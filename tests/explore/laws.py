"""What must hold after every step, one function per law: it returns what is wrong, or nothing.

A law's docstring is its sentence. `taken` is the step with the state before and after it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from queuectl.model import outcome as verdicts
from queuectl.model.lifecycle import FINAL, MAX_CRASHES, TRANSITIONS, JobState
from queuectl.storage.keys import KEYS

from .clients import UP, Result
from .records import INDEXES
from .server import Taken

Law = Callable[[Taken], str | None]
LAWS: list[Law] = []


def law(function: Law) -> Law:
    """Register a function as a law."""
    LAWS.append(function)
    return function


class Broken(NamedTuple):
    """A broken law: its name, its sentence, and what is wrong."""

    law: str
    sentence: str
    wrong: str


def broken(taken: Taken) -> Broken | None:
    """Return the first law that a step breaks."""
    for one in LAWS:
        wrong = one(taken)
        if wrong:
            return Broken(one.__name__, " ".join((one.__doc__ or "").split()), wrong)
    return None


# Where a job is -----------------------------------------------------------------------------------


@law
def one_index(taken: Taken) -> str | None:
    """A job is in the index of its state and in no other."""
    after, listed = taken.after, 0
    for name in INDEXES.values():
        listed += len(after.content(name)) // 2
    for job, fields in after.jobs.items():
        state = fields.get("status", "")
        if state not in INDEXES or job not in after.content(INDEXES[state]):
            return f"{job} is {state or 'in no state'}, and not listed so"
    return f"{len(after.jobs)} jobs are listed {listed} times" if listed != len(after.jobs) else None


@law
def fields_of_the_state(taken: Taken) -> str | None:
    """A job has the fields of its state and no others, and their times are those of its index."""
    after = taken.after
    for job, fields in after.jobs.items():
        state = JobState(fields["status"])
        if ("next_retry_at" in fields) != (state is JobState.FAILED) or ("finished_at" in fields) != (
            state in FINAL
        ):
            return f"{job} is {state} with {sorted(fields)}"
        if state is JobState.PROCESSING and not {"fence", "owner", "started_at"} <= fields.keys():
            return f"{job} is {state} with {sorted(fields)} only"
        time = fields.get("next_retry_at") or fields.get("finished_at")
        if time and abs(float(time) - after.scores(INDEXES[state])[job]) > 1e-5:
            return f"{job} has {time} in its hash, and another time in its index"
    return None


@law
def hints(taken: Taken) -> str | None:
    """A pending job is in the list `jobs`, a dead one in the dead letter list."""
    after = taken.after
    for state, name in (("pending", "jobs"), ("dead", "dead_letter")):
        listed = after.content(name)
        for job, fields in after.jobs.items():
            if fields["status"] == state and job not in listed:
                return f"{job} is {state}, and not in `{name}`"
    return None


@law
def dead_letters(taken: Taken) -> str | None:
    """The dead letter list has no job twice, and none that was retried or deleted."""
    listed = list(taken.after.content("dead_letter"))
    if taken.step.verb in ("dlq_retry", "delete", "finish") and sorted(set(listed)) != sorted(listed):
        return f"it has {listed}"
    if taken.step.verb in ("dlq_retry", "delete"):
        left = [job for job in taken.step.jobs if job in listed and taken.after.status(job) != "dead"]
        return f"it still has {left}" if left else None
    return None


@law
def moves(taken: Taken) -> str | None:
    """A job changes its state only as the table of transitions allows."""
    most = 3 if taken.step.verb in ("claim", "heartbeat") else 1
    for job, fields in taken.after.jobs.items():
        old, new = taken.before.status(job), fields["status"]
        if old and old != new and new not in _reached(old, most):
            return f"{job} was {old} and is {new}"
    return None


@cache
def _reached(state: str, most: int) -> frozenset[str]:
    """Return the states that this many moves lead to; a job that ends on the way stays ended."""
    found = {after.value for after in TRANSITIONS[JobState(state)]}
    for _ in range(most - 1):
        found |= {after.value for one in found for after in TRANSITIONS[JobState(one)] if one not in FINAL}
    return frozenset(found)


# Nothing is lost ----------------------------------------------------------------------------------


@law
def nothing_lost(taken: Taken) -> str | None:
    """An acknowledged job exists until it is deleted, and a deleted one had ended."""
    there, known = taken.after.jobs.keys(), set(taken.clients.jobs)
    if there != known:
        return f"there are {sorted(there)}, acknowledged are {sorted(known)}"
    for job in set(taken.clients.removed) - set(taken.outside.removed):
        if taken.before.status(job) not in FINAL or (
            taken.step.verb == "delete" and taken.before.status(job) != "dead"
        ):
            return f"{job} was {taken.before.status(job)} and is deleted"
    return None


@law
def what_jobs_share(taken: Taken) -> str | None:
    """Data of jobs live as long as the jobs: the look-up by id, and the variables that they share."""
    after, number = taken.after, len(taken.after.jobs)
    if set(after.content("ids:feed")) != after.jobs.keys():
        return f"`ids:feed` has {after.content('ids:feed')}"
    counts = [int(after.content(name)["jobs"]) for name in after.keys if name.startswith("env:")]
    return f"variables are counted {counts} times for {number} jobs" if counts != [number] * bool(number) else None


_KINDS = {"List": "list", "Hash": "hash", "Sorted Set": "zset", "Set": "set", "String": "string"}
_DOCUMENTED = {key.name.partition("<")[0]: _KINDS[key.kind] for key in KEYS if key.kind in _KINDS}
_EXPIRING = tuple(key.name.partition("<")[0] for key in KEYS if key.lives.startswith("expires"))


@law
def documented_keys(taken: Taken) -> str | None:
    """There are no keys but the documented ones, of their types; those of runners and workers expire."""
    for name, (kind, _, expires) in taken.after.keys.items():
        wrong = _wrong_key(name, kind, expires)
        if wrong:
            return wrong
    return f"set aside: {taken.after.content('set_aside')}" if "set_aside" in taken.after.keys else None


@cache
def _wrong_key(name: str, kind: str, expires: int) -> str:
    general = name if name in _DOCUMENTED else name[: name.find(":") + 1]
    if _DOCUMENTED.get(general) != kind:
        return f"`{name}` is a {kind}"
    if expires != name.startswith(_EXPIRING):
        return f"`{name}` {'expires' if expires else 'stays'}"
    return ""


# Cancelling ---------------------------------------------------------------------------------------


@law
def cancelled_never_starts(taken: Taken) -> str | None:
    """Once a cancellation is acknowledged, the job is not started again: it is cancelled, or it completes if the
    attempt that was running finished first."""
    before, after = taken.before, taken.after
    for job in taken.clients.promised:
        state = after.status(job)
        if state not in ("processing", "cancelled", "completed"):
            return f"{job} is {state}"
        if state == "processing" and not before.holds((job, after.fence(job))):
            return f"{job} was started again"
    return None


@law
def cancel_tells(taken: Taken) -> str | None:
    """`cancel` says what it did: the job is cancelled, its worker is told with its fence, or nothing changes."""
    if taken.step.verb != "cancel":
        return None
    (job,), (answer,), after = taken.step.jobs, taken.reply, taken.after
    fields = after.jobs.get(job, {})
    if answer == "requested":
        messages = after.content(f"control:{fields.get('owner')}")
        told = f"cancel {job} {after.fence(job)}" in messages
        return None if told and "cancel_requested" in fields else f"its runner was sent {messages}"
    if answer == "cancelled" and taken.before.status(job) in ("pending", "failed", "cancelled"):
        return None if after.status(job) == "cancelled" else f"{job} is {after.status(job)}"
    return None if answer == after.status(job) == taken.before.status(job) else f"the answer is {answer}"


# Leases and results -------------------------------------------------------------------------------


@law
def fences_rise(taken: Taken) -> str | None:
    """A fence rises by one with each claim, and changes in no other way."""
    given = {lease.job_id: lease.fence for lease in taken.reply.leases} if taken.step.verb == "claim" else {}
    for job in taken.after.jobs:
        old, new = taken.before.fence(job), taken.after.fence(job)
        if new != old + (job in given) or given.get(job, new) != new:
            return f"the fence of {job} was {old} and is {new}"
    return None


@law
def newest_only(taken: Taken) -> str | None:
    """Only the newest lease can record a result; any other is stale, and changes nothing."""
    if taken.step.verb != "finish":
        return None
    good = {result[0] for result in taken.step.results if taken.before.holds(result[:2])}
    for (job, fence, verdict, pause), answer in zip(taken.step.results, taken.reply, strict=True):
        if not taken.before.holds((job, fence)):
            changed = job not in good and taken.before.jobs.get(job) != taken.after.jobs.get(job)
            if answer != "stale" or changed:
                return f"{job} under fence {fence}: {answer}"
        elif answer == "stale" or answer != taken.after.status(job):
            return f"{job} under fence {fence}: {answer}, and it is {taken.after.status(job)}"
        elif answer not in _expected(taken, (job, fence, verdict, pause)):
            return f"{job} was reported as {verdict}, and is {answer}"
    return None


def _expected(taken: Taken, result: Result) -> set[str]:
    fields, verdict = taken.before.jobs[result[0]], result[2]
    if verdict == verdicts.COMPLETED:
        return {"completed"}
    if "cancel_requested" in fields:
        return {"cancelled"}
    last = int(fields.get("crashes", 0)) + 1 >= MAX_CRASHES
    states = {"retry": "failed", "handed_back": "pending", "crashed": "dead" if last else "pending"}
    return {states.get(verdict, verdict)}


@law
def attempts_count_results(taken: Taken) -> str | None:
    """`attempts` counts results of the command, each once, and nothing else."""
    counted = {
        job
        for job, fence, verdict, _ in taken.step.results
        if taken.before.holds((job, fence)) and verdict not in (verdicts.HANDED_BACK, verdicts.CRASHED)
    }
    return _counts(taken, "attempts", counted)


@law
def crashes_count_deaths(taken: Taken) -> str | None:
    """`crashes` counts deaths of the job's workers, each once: an expired lease, or a runner found dead."""
    step, before = taken.step, taken.before
    died: set[str] = set()
    if step.verb == "heartbeat" or (step.verb == "claim" and not before.silent):
        died = {job for job in before.expired if (job, before.fence(job)) not in step.renewed}
    elif step.verb == "recover":
        died = {job for job in before.leases if before.jobs[job]["owner"] == step.runner}
    elif step.verb == "finish":
        died = {r[0] for r in step.results if r[2] == verdicts.CRASHED and before.holds(r[:2])}
    wrong = _counts(taken, "crashes", died)
    if wrong:
        return wrong
    for job in died:
        fields = taken.after.jobs[job]
        if int(fields["crashes"]) >= MAX_CRASHES and fields["status"] not in ("dead", "cancelled"):
            return f"{job} is {fields['status']} after {fields['crashes']} crashes"
    return None


def _counts(taken: Taken, name: str, counted: set[str]) -> str | None:
    retried = taken.step.jobs if taken.step.verb == "dlq_retry" else ()
    for job, fields in taken.after.jobs.items():
        if job not in taken.before.jobs:
            continue
        old, new = int(taken.before.jobs[job].get(name, 0)), int(fields.get(name, 0))
        wanted = 0 if job in retried and taken.before.status(job) == "dead" else old + (job in counted)
        if new != wanted:
            return f"{name} of {job} was {old} and is {new}, not {wanted}"
    return None


@law
def cause_and_code_agree(taken: Taken) -> str | None:
    """The exit code and the cause of a job are of the same attempt: none stays from an earlier one."""
    for job, fields in taken.after.jobs.items():
        cause = fields.get("cause", "")
        if cause == "crash" and "exit_code" in fields:
            return f"{job} has crashed, with the exit code {fields['exit_code']}"
        if fields["status"] == "completed" and cause:
            return f"{job} is completed, because of {cause}"
        if fields["status"] == "cancelled" and not cause.startswith("c"):
            return f"{job} is cancelled, because of {cause}"
    return None


@law
def claims(taken: Taken) -> str | None:
    """A claim gives pending jobs only to its runner, and as many as it wants while there are any."""
    if taken.step.verb != "claim":
        return None
    after, leases = taken.after, taken.reply.leases
    if taken.reply.stopped != after.stopped or taken.reply.invalid or len(leases) > taken.step.want:
        return f"it gave {taken.reply}"
    for lease in leases:
        if not after.holds((lease.job_id, lease.fence)) or after.jobs[lease.job_id]["owner"] != taken.step.runner:
            return f"{lease.job_id} is not the runner's"
    if len(leases) < taken.step.want and after.pending and not after.stopped:
        return f"it gave {len(leases)}, and {sorted(after.pending)} are pending"
    return None


@law
def due_is_done(taken: Taken) -> str | None:
    """After a claim or a heartbeat nothing is due: no expired lease is left, and no pause that is over. After a
    jump of the clock, leases are left until a runner is heard."""
    if taken.step.verb not in ("claim", "heartbeat"):
        return None
    waits = taken.step.verb == "claim" and taken.before.silent
    left = [*([] if waits else taken.after.ended), *taken.after.due]
    return f"still due: {left}" if left else None


@law
def renewals(taken: Taken) -> str | None:
    """A heartbeat renews the runner's leases, and reports lost leases and those to cancel."""
    if taken.step.verb != "heartbeat":
        return None
    before, pulse = taken.before, taken.reply
    held = [lease for lease in taken.step.renewed if before.holds(lease)]
    if sorted(pulse.lost) != sorted(set(taken.step.renewed) - set(held)):
        return f"it says that {pulse.lost} are lost"
    if pulse.cancelled != [lease for lease in held if "cancel_requested" in before.jobs[lease[0]]]:
        return f"it says that {pulse.cancelled} are to be cancelled"
    gone = [lease for lease in held if not taken.after.holds(lease)]
    return f"{gone} are not renewed" if gone else None


@law
def disowning(taken: Taken) -> str | None:
    """A runner that disowns keeps the leases it knows, loses the others of its last claim, and takes nothing from
    other runners."""
    if taken.step.verb not in ("disown", "disown twice", "late disown"):
        return None
    before = taken.before
    (runner,) = (runner for runner in taken.outside.runners if runner.name == taken.step.runner)
    for job in before.leases:
        lease = (job, before.fence(job))
        mine = before.jobs[job]["owner"] == runner.name
        runs = taken.after.status(job) == "processing"
        if not runs and (not mine or lease in runner.known):
            return f"{job} is {taken.after.status(job)}"
        unknown = mine and lease in runner.given and lease not in runner.known
        if runs and unknown and taken.step.verb != "late disown":
            return f"{job} is still the runner's"
    return None


@law
def leases_are_known(taken: Taken) -> str | None:
    """A connected runner knows each lease that the server has in its name."""
    for runner in taken.clients.runners:
        if runner.phase == UP:
            for job in taken.after.leases:
                lease = (job, taken.after.fence(job))
                if taken.after.jobs[job]["owner"] == runner.name and lease not in runner.known:
                    return f"{job} is leased to {runner.text} under fence {lease[1]}"
    return None


# Noticing work ------------------------------------------------------------------------------------


@law
def work_is_heard_of(taken: Taken) -> str | None:
    """An idle runner notices work: there is a token after a job became pending, a claim left some, or a runner was
    forgotten."""
    before, after, step = taken.before, taken.after, taken.step
    if len(after.content("wake:default")) > 1:
        return "there is more than one token"
    leaves = step.verb in ("claim", "retire")
    if (after.pending - before.pending or (leaves and after.pending)) and not after.stopped:
        return (
            None if "wake:default" in after.keys else f"{sorted(after.pending)} are pending, and there is no token"
        )
    return None


@law
def stop_and_resume(taken: Taken) -> str | None:
    """`worker stop` and `resume` send a message to each runner that is known to be alive."""
    if taken.step.verb not in ("stop", "resume"):
        return None
    for runner in taken.after.scores("runners"):
        if taken.after.content(f"control:{runner}")[-1:] != [taken.step.verb]:
            return f"{runner} was not told"
    return None


@law
def retired(taken: Taken) -> str | None:
    """Nothing on the server names a runner that has just been forgotten, except the jobs that it ran."""
    if taken.step.verb != "retire":
        return None
    after, runner = taken.after, taken.step.runner
    names = [
        name for name in after.keys if name in (f"worker:{runner}-1", f"control:{runner}", f"claimed:{runner}")
    ]
    known = runner in after.scores("runners") or f"{runner}-1" in after.scores("workers")
    return f"left: {names or 'its name'}" if names or known else None


# What must change nothing -------------------------------------------------------------------------


@law
def harmless(taken: Taken) -> str | None:
    """Adding a job again, and `fsck` on a consistent queue, change nothing and find nothing."""
    if taken.step.verb not in ("enqueue again", "fsck"):
        return None
    if taken.step.verb == "fsck" and taken.reply:
        return f"fsck says {taken.reply}"
    return None if taken.before.jobs == taken.after.jobs else "jobs have changed"
