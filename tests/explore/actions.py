"""Everything that can happen, one function per action: it yields the steps that are possible in a state.

Each step is a call as the clients make it. ``cost`` is 1 for a disturbance, of which a history has a limited
number. ``healthy`` steps lead every job to its end if nothing else happens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from queuectl.model import job as model
from queuectl.model import outcome as verdicts
from queuectl.model.lifecycle import FINAL, JobState
from queuectl.model.outcome import Outcome
from queuectl.storage.calls import integrity, jobs, leases, workers
from queuectl.storage.calls.jobs import NewJob, enqueue
from queuectl.storage.calls.workers import WorkerState
from queuectl.storage.scripts import Call, Command

from .clients import CUT_OFF, DEAD, FREED, GONE, UP, Clients, Disown, Lease, Result, Runner, name_of
from .records import NAMESPACE, Records
from .scope import ENDED, FUTURE, LAST_HEARD, LONG_SECONDS, Scope

Learn = Callable[[Clients, Any], Clients]
"""What the clients know once they have the reply."""


def nothing_new(clients: Clients, reply: Any) -> Clients:
    """Change nobody's knowledge."""
    return clients


@dataclass(frozen=True, slots=True)
class Step:
    """One step. ``verb`` and the fields after it describe it to the laws."""

    text: str
    verb: str
    call: Call[Any] | None = None
    first: tuple[Command, ...] = ()
    then: tuple[Command, ...] = ()
    learn: Learn = nothing_new
    cost: int = 0
    healthy: bool = False
    runner: str = ""
    jobs: tuple[str, ...] = ()
    results: tuple[Result, ...] = ()
    want: int = 0
    renewed: tuple[Lease, ...] = ()


@dataclass(frozen=True, slots=True)
class Situation:
    """The state that the actions see."""

    scope: Scope
    records: Records
    clients: Clients


Action = Callable[[Situation], Iterator[Step]]
ACTIONS: list[Action] = []


def action(function: Action) -> Action:
    """Register a function as an action."""
    ACTIONS.append(function)
    return function


def key(name: str) -> str:
    """Return the full name of a key."""
    return f"{NAMESPACE}:{name}"


PLACES = 2
"""Leases that a runner holds at most, outdated ones as well."""

POP_TOKEN = ("LPOP", key("wake:default"))
"""A runner takes the token before it claims, as the one that waits for it does."""


# Adding jobs --------------------------------------------------------------------------------------


@action
def add_a_job(now: Situation) -> Iterator[Step]:
    """Add the next job; or add it again, as a producer that did not get the answer."""
    used = len(now.clients.jobs) + len(now.clients.removed)
    if used < now.scope.jobs:
        job = f"feed{used + 1:x}"
        died = (("HSET", key(f"jobs:{job}"), "crashes", now.scope.crashes_before),)
        yield Step(
            *(f"{name_of(job)} is added", "enqueue"),
            call=_enqueue(job, now.scope),
            then=died,
            learn=lambda clients, _: clients._replace(jobs=(*clients.jobs, job)),
            jobs=(job,),
        )
    for newest in now.clients.jobs[-1:]:
        again = _enqueue(newest, now.scope)
        yield Step(f"{name_of(newest)} is added again", "enqueue again", call=again, jobs=(newest,))


def _enqueue(job: str, scope: Scope) -> Call[Any]:
    shared = {"max_retries": str(scope.max_retries)}
    return enqueue([NewJob(job, b"true")], shared=shared, variables={b"A": b"1"})


# Claims -------------------------------------------------------------------------------------------


@action
def claim(now: Situation) -> Iterator[Step]:
    """A runner claims jobs, or none, and gets the answer; its connection breaks before the answer; or a claim
    arrives late, and nobody gets the answer: over a connection that its runner dropped, or from a dead runner."""
    for runner in now.clients.runners:
        wants = [want for want in range(now.scope.jobs + 1) if want == 0 or len(runner.knows) + want <= PLACES]
        for want in wants if runner.phase == UP and not runner.unheard else ():
            step = _claim(runner, want)
            yield step
            if want:
                yield _reply_lost(step, runner)
        if runner.phase == UP and runner.connection > 1:
            older = runner._replace(connection=runner.connection - 1)
            yield replace(_late(_claim(older, now.scope.jobs), runner), want=0)  # it is to give nothing
        elif not runner.lives:
            yield _late(_claim(runner, now.scope.jobs), runner)


def _claim(runner: Runner, want: int) -> Step:
    def learn(clients: Clients, claim: leases.Claim) -> Clients:
        given = _given(claim)
        return clients.having(runner._replace(knows=(*runner.knows, *given), given=given or runner.given))

    return Step(
        *(f"{runner.text} claims {want or 'none'}", "claim"),
        call=leases.claim(runner.name, LONG_SECONDS, want, runner.connection),
        first=(POP_TOKEN,),
        learn=learn,
        healthy=True,
        runner=runner.name,
        want=want,
    )


def _late(step: Step, runner: Runner) -> Step:
    return replace(
        step,
        text=f"a claim of {runner.text} comes late, and its reply is lost",
        learn=lambda clients, claim: clients.having(runner._replace(given=_given(claim) or runner.given)),
        cost=1,
        healthy=False,
    )


def _given(claim: leases.Claim) -> tuple[Lease, ...]:
    return tuple((lease.job_id, lease.fence) for lease in claim.leases)


def _reply_lost(step: Step, runner: Runner) -> Step:
    """Do the same, but the runner's connection breaks before the answer."""

    def learn(clients: Clients, reply: Any) -> Clients:
        given = _given(reply) if step.verb == "claim" else ()
        left = runner.without(result[:2] for result in step.results)
        unheard = (*runner.unheard, *step.results) if step.results != runner.unheard else runner.unheard
        return clients.having(left._replace(phase=CUT_OFF, unheard=unheard, given=given or runner.given))

    return replace(step, text=f"{step.text}, and the reply is lost", learn=learn, cost=step.cost + 1, healthy=False)


@action
def connect_again(now: Situation) -> Iterator[Step]:
    """A reconnected runner first disowns the leases that it was given without knowing.

    That connection may break again, and calls sent over it may arrive late.
    """
    for runner in now.clients.runners:
        if runner.phase == CUT_OFF:
            runner = runner._replace(connection=runner.connection + 1)
            disown = Disown(runner.connection, runner.known)
            step = _disown(runner, disown)
            yield step
            yield _reply_lost(step, runner)
            if runner.late is None:
                yield Step(
                    *(
                        f"{runner.text} connects again, and that breaks with its disown on the way",
                        "break",
                    ),
                    learn=_becomes(runner._replace(late=disown), CUT_OFF),
                    cost=1,
                )
        elif runner.phase == UP and runner.late is not None:
            yield replace(
                _disown(runner, runner.late),
                text=f"the disown of {runner.text} that was on its way comes late",
                verb="late disown",
                learn=_becomes(runner._replace(late=None), UP),
                healthy=False,
            )


def _disown(runner: Runner, sent: Disown) -> Step:
    twice = len({job for job, _ in sent.known}) < len(sent.known)
    return Step(
        *(f"{runner.text} connects again and disowns what it does not know", "disown twice" if twice else "disown"),
        call=leases.disown(runner.name, sent.connection, [_lease(lease) for lease in sent.known]),
        learn=_becomes(runner, UP),
        healthy=True,
        runner=runner.name,
    )


# Results ------------------------------------------------------------------------------------------


@action
def finish(now: Situation) -> Iterator[Step]:
    """A runner reports on a lease, even a lost one; alone, or on all of its leases in one call."""
    for runner in now.clients.runners:
        if runner.phase == UP and not runner.unheard:
            for step in _reports(runner, now):
                yield step
                yield _reply_lost(step, runner)


def _reports(runner: Runner, now: Situation) -> Iterator[Step]:
    for lease in runner.knows:
        for verdict, pause in _verdicts(lease[0], now):
            yield _report(runner, [(*lease, verdict, pause)])
    if len(runner.knows) > 1:
        yield _report(runner, [(*lease, verdicts.COMPLETED, 0.0) for lease in runner.knows])
        yield _report(runner, [(*lease, verdicts.HANDED_BACK, 0.0) for lease in reversed(runner.knows)])


def _verdicts(job: str, now: Situation) -> Iterator[tuple[str, float]]:
    fields = now.records.jobs.get(job, {})
    yield verdicts.COMPLETED, 0.0
    yield verdicts.DEAD, 0.0
    yield verdicts.HANDED_BACK, 0.0
    yield verdicts.CRASHED, 0.0
    if int(fields.get("attempts", 0)) < now.scope.max_retries:
        yield verdicts.RETRY, 0.0
        yield verdicts.RETRY, LONG_SECONDS
    if "cancel_requested" in fields:
        yield verdicts.CANCELLED, 0.0


def _report(runner: Runner, results: list[Result]) -> Step:
    texts = [
        f"{name_of(job)} under fence {fence} as {_verdict_text(verdict, pause)}"
        for job, fence, verdict, pause in results
    ]
    disturbs = any(verdict in (verdicts.HANDED_BACK, verdicts.CRASHED) for _, _, verdict, _ in results)
    return Step(
        *(f"{runner.text} reports {' and '.join(texts)}", "finish"),
        call=_finish(runner, results),
        learn=lambda clients, _: clients.having(runner.without(result[:2] for result in results)),
        cost=1 if disturbs else 0,
        healthy=all(verdict == verdicts.COMPLETED for _, _, verdict, _ in results),
        runner=runner.name,
        results=tuple(results),
    )


def _verdict_text(verdict: str, pause: float) -> str:
    return {verdicts.RETRY: f"failed, to be tried {'later' if pause else 'at once'}"}.get(verdict, verdict)


def _finish(runner: Runner, results: list[Result]) -> Call[Any]:
    worker = f"{runner.name}-1"
    return leases.finish(
        runner.name,
        [(_lease((job, fence)), _outcome(verdict, pause), worker) for job, fence, verdict, pause in results],
    )


def _outcome(verdict: str, pause: float) -> Outcome:
    return Outcome(verdict, 0) if verdict == verdicts.COMPLETED else Outcome(verdict, 1, "exit:1", delay=pause)


def _lease(lease: Lease) -> model.Lease:
    return model.Lease(model.Job(lease[0], JobState.PROCESSING, b"true"), lease[1])


@action
def report_again(now: Situation) -> Iterator[Step]:
    """A reconnected runner resends the results without an answer, before it claims anything."""
    for runner in now.clients.runners:
        if runner.phase == UP and runner.unheard:
            step = Step(
                *(f"{runner.text} sends again what it had reported", "finish"),
                call=_finish(runner, list(runner.unheard)),
                learn=_heard(runner),
                healthy=True,
                runner=runner.name,
                results=runner.unheard,
            )
            yield step
            yield _reply_lost(step, runner)


def _heard(runner: Runner) -> Learn:
    return lambda clients, _: clients.having(runner._replace(unheard=()))


# Heartbeats and time ------------------------------------------------------------------------------


@action
def heartbeat(now: Situation) -> Iterator[Step]:
    """A runner renews all leases that it knows, the first as its worker's, the others as waiting."""
    for runner in now.clients.runners:
        if runner.phase == UP:
            step = beat(runner)
            yield step
            yield _reply_lost(step, runner)


def beat(runner: Runner) -> Step:
    """One heartbeat."""
    busy = [WorkerState(f"{runner.name}-1", "busy", *lease) for lease in runner.knows[:1]]
    return Step(
        *(f"{runner.text} sends its heartbeat", "heartbeat"),
        call=workers.heartbeat(
            *(runner.name, "host", 1),
            lease_seconds=LONG_SECONDS,
            life_seconds=1_000_000,
            workers=busy or [WorkerState(f"{runner.name}-1", "idle")],
            waiting=[_lease(lease) for lease in runner.knows[1:]],
        ),
        learn=lambda clients, pulse: clients.having(runner.without(pulse.lost)),
        healthy=True,
        runner=runner.name,
        renewed=runner.knows,
    )


@action
def time_passes(now: Situation) -> Iterator[Step]:
    """A lease ends, which a live runner that knows of it would prevent; or the pause of a job is over."""
    known = {lease for runner in now.clients.runners if runner.lives for lease in runner.knows}
    for job, end in now.records.leases.items():
        if end > FUTURE and not now.records.silent:
            at = f"{ENDED + len(now.records.ended)}"
            held = (job, now.records.fence(job)) in known
            yield Step(
                *(f"the lease of {name_of(job)} ends", "time"),
                first=(("ZADD", key("running"), at, job),),
                cost=1 if held else 0,
                healthy=not held,
            )
    for job, end in now.records.pauses.items():
        if end > FUTURE:
            at = f"{ENDED + len(now.records.due)}"
            moves = (("ZADD", key("retry_queue"), at, job), ("HSET", key(f"jobs:{job}"), "next_retry_at", at))
            yield Step(f"the pause of {name_of(job)} is over", "time", first=moves, healthy=True)


@action
def clock_jumps(now: Situation) -> Iterator[Step]:
    """The server's clock jumps ahead, beyond the end of all leases."""
    held = [job for job, end in now.records.leases.items() if end > FUTURE]
    if held and not now.records.silent:
        ends = [part for place, job in enumerate(held) for part in (LAST_HEARD + LONG_SECONDS + place, job)]
        moves = (("SET", key("pulse"), f"{LAST_HEARD} 1"), ("ZADD", key("running"), *ends))
        yield Step("the clock jumps ahead", "jump", first=moves, cost=1)


# The end of runners -------------------------------------------------------------------------------


@action
def die(now: Situation) -> Iterator[Step]:
    """A runner is killed, just after it has taken the token; then its leases are freed, then it is forgotten. A
    runner without leases may also leave by itself."""
    last = sum(runner.lives for runner in now.clients.runners) == 1
    for runner in now.clients.runners:
        dead = runner._replace(knows=(), unheard=(), late=None)
        if runner.lives and not last:
            yield Step(
                *(f"{runner.text} is killed", "die"),
                first=(POP_TOKEN,),
                learn=_becomes(dead, DEAD),
                cost=1,
            )
            if runner.phase == UP and not runner.knows and not runner.unheard:
                yield replace(_retire(runner), text=f"{runner.text} leaves", cost=1)
        elif runner.phase == DEAD:
            yield Step(
                *(f"the leases of {runner.text} are freed", "recover"),
                call=leases.recover([runner.name], 0),
                learn=_becomes(dead, FREED),
                runner=runner.name,
            )
        elif runner.phase == FREED:
            yield _retire(runner)


def _retire(runner: Runner) -> Step:
    return Step(
        *(f"{runner.text} is forgotten", "retire"),
        call=workers.retire(runner.name, [f"{runner.name}-1"]),
        learn=_becomes(runner, GONE),
        runner=runner.name,
    )


def _becomes(runner: Runner, phase: str) -> Learn:
    return lambda clients, _: clients.having(runner._replace(phase=phase))


# People -------------------------------------------------------------------------------------------


@action
def cancel(now: Situation) -> Iterator[Step]:
    """Somebody cancels a job in any state."""
    for job in now.clients.jobs:

        def learn(clients: Clients, answers: list[str], job: str = job) -> Clients:
            kept = answers[0] in ("cancelled", "requested")
            return clients._replace(promised=clients.promised | {job}) if kept else clients

        yield Step(
            *(f"{name_of(job)} is cancelled by somebody", "cancel"),
            call=jobs.cancel([job]),
            learn=learn,
            jobs=(job,),
        )


@action
def clear(now: Situation) -> Iterator[Step]:
    """Somebody clears the queue."""
    pending = now.records.pending
    if pending:
        yield Step(
            *("the queue is cleared", "clear"),
            call=jobs.clear(""),
            learn=lambda clients, _: clients._replace(promised=clients.promised | pending),
            cost=1,
        )


@action
def retry_dead(now: Situation) -> Iterator[Step]:
    """Somebody retries a job that is dead, or was dead when they checked."""
    for job in now.clients.jobs:
        yield Step(
            *(f"{name_of(job)} is retried by somebody", "dlq_retry"),
            call=jobs.dlq_retry([job]),
            cost=1,
            jobs=(job,),
        )


@action
def remove(now: Situation) -> Iterator[Step]:
    """Somebody deletes a dead job; or finished jobs are removed because of their age or number."""
    for job in now.clients.jobs:
        yield Step(
            *(f"{name_of(job)} is deleted if it is dead", "delete"),
            call=jobs.delete(JobState.DEAD, [job]),
            learn=_removed,
            cost=1,
            jobs=(job,),
        )
    if any(JobState(fields["status"]) in FINAL for fields in now.records.jobs.values()):
        by_age = ("completed_retention", 0, "dead_retention", 0)
        for why, limits in (("for their age", by_age), ("for their number", ("max_finished", 0))):
            yield Step(
                *(f"finished jobs are removed {why}", "prune"),
                call=jobs.prune(),
                first=(("HSET", key("config"), *limits),),
                then=(("DEL", key("config")),),
                learn=_removed,
                cost=1,
            )


def _removed(clients: Clients, gone: list[str]) -> Clients:
    return clients._replace(
        jobs=tuple(job for job in clients.jobs if job not in gone),
        removed=(*clients.removed, *gone),
        promised=clients.promised.difference(gone),
    )


@action
def stop_and_resume(now: Situation) -> Iterator[Step]:
    """Somebody stops all workers, or resumes them."""
    if now.records.stopped:
        yield Step("the workers are resumed", "resume", call=workers.resume(), healthy=True)
    else:
        yield Step("the workers are stopped", "stop", call=workers.stop(), cost=1)


@action
def ask(now: Situation) -> Iterator[Step]:
    """Somebody waits for a job's end; or `fsck --repair` checks all jobs in the middle of everything."""
    for job in now.clients.jobs:
        if "ties" not in now.records.jobs.get(job, {}):
            yield Step(f"somebody waits for {name_of(job)}", "watch", call=jobs.watch(job), cost=1, jobs=(job,))
    if now.clients.jobs:
        yield Step("fsck repairs all jobs", "fsck", call=integrity.fsck_jobs(now.clients.jobs, repair=True))
