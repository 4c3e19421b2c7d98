"""Any sequence of calls, on the real scripts and a real server, compared with a small model of the queue."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import groupby

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from lifecycle_model import Modelled

import steps
from queuectl.model.job import Lease
from queuectl.model.lifecycle import FINAL, MAX_CRASHES, JobState
from queuectl.model.outcome import CANCELLED, COMPLETED, CRASHED, DEAD, HANDED_BACK, RETRY, Outcome
from queuectl.storage import RedisStorage
from queuectl.storage.calls import jobs, leases, workers
from queuectl.storage.calls.workers import overview
from servers import Server
from steps import EXPIRED, LONG, add_as, beat, claim, fields_of, ids_in, key, look, prune, runner_of

EXAMPLES = 5_000 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 60
STEPS = 40
MAX_RETRIES = 1

INDEXES = {
    JobState.PENDING: "idx:pending",
    JobState.PROCESSING: "running",
    JobState.FAILED: "retry_queue",
    JobState.COMPLETED: "idx:completed",
    JobState.DEAD: "idx:dead",
    JobState.CANCELLED: "idx:cancelled",
}
RUNNERS = st.sampled_from(["one", "two"])
VARIABLES = st.sampled_from([{}, {b"A": b"1"}, {b"B": b"2"}])
LEASES = st.sampled_from([LONG, EXPIRED])
DELAYS = st.sampled_from([0.0, LONG])
STATES = st.sampled_from(JobState)
FINAL_STATES = st.sampled_from(sorted(FINAL))
FAILED_ATTEMPT = "failed"
"""Not a verdict: the worker makes one of it, by the policy."""
ENDINGS = st.sampled_from([COMPLETED, FAILED_ATTEMPT, DEAD, CANCELLED, HANDED_BACK, CRASHED])


class Lifecycle(RuleBasedStateMachine):
    """The queue and its model, side by side."""

    make_storage: Callable[[], RedisStorage]

    def __init__(self) -> None:
        super().__init__()
        self.storage = self.make_storage()
        self.jobs: dict[str, Modelled] = {}
        self.leases: list[Lease] = []
        self.count = 0
        self.fences: dict[str, int] = {}

    def teardown(self) -> None:
        self.storage.r.flushall()
        self.storage.close()

    # Steps ----------------------------------------------------------------------------------------

    @initialize(many=st.integers(1, 4), variables=VARIABLES)
    def begin(self, many: int, variables: dict[bytes, bytes]) -> None:
        self.enqueue_some(many, variables)

    @rule(many=st.integers(1, 3), variables=VARIABLES)
    def enqueue(self, many: int, variables: dict[bytes, bytes]) -> None:
        self.enqueue_some(many, variables)

    @rule(want=st.integers(1, 3), runner=RUNNERS, lease_seconds=LEASES)
    def claim(self, want: int, runner: str, lease_seconds: float) -> None:
        self.claim_some(want, runner, lease_seconds)

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), ending=ENDINGS, delay=DELAYS)
    def finish(self, data: st.DataObject, ending: str, delay: float) -> None:
        self.report(self.some_leases(data), ending, delay)

    @rule(want=st.integers(1, 3), runner=RUNNERS, ending=ENDINGS, delay=DELAYS, cancelled=st.booleans())
    def work(self, want: int, runner: str, ending: str, delay: float, cancelled: bool) -> None:
        """What a worker does most: claim, and report on what it got, cancelled meanwhile or not."""
        taken = self.claim_some(want, runner, LONG)
        if cancelled:
            self.cancel_all([lease.job_id for lease in taken])
        self.report(taken, ending, delay)

    @rule(runner=RUNNERS, times=st.integers(2, MAX_CRASHES))
    def die(self, runner: str, times: int) -> None:
        """Workers die one after the other, mostly under the same job: it goes to the front each time."""
        for _ in range(times):
            self.claim_some(1, runner, EXPIRED)

    @rule(data=st.data(), runner=RUNNERS, lease_seconds=LEASES)
    def heartbeat(self, data: st.DataObject, runner: str, lease_seconds: float) -> None:
        kept = self.some_leases(data)
        pulse = beat(self.storage, runner=runner, waiting=kept, lease_seconds=lease_seconds)
        held = {lease: job for lease in kept if (job := self.held(lease)) and job.owner == runner}
        assert pulse.lost == [named(lease) for lease in kept if lease not in held]
        assert pulse.cancelled == [named(x) for x in kept if x in held and held[x].to_be_cancelled]
        assert not pulse.stopped
        for job in held.values():
            job.due = lease_seconds == EXPIRED
        self.time_passes()

    @rule(data=st.data(), state=STATES)
    def cancel(self, data: st.DataObject, state: JobState) -> None:
        self.cancel_all([self.a_job(data, state), self.a_job(data, state)])

    @precondition(lambda self: self.in_state(JobState.DEAD))
    @rule(data=st.data())
    def retry_dead(self, data: st.DataObject) -> None:
        job_id = self.a_job(data, JobState.DEAD)
        self.jobs[job_id].retry()
        assert self.storage.run(jobs.dlq_retry([job_id])) == ["retried"]

    @rule(data=st.data(), how=st.sampled_from(["clear", "delete", "recover", "prune surplus", "prune old"]))
    def sweep(self, data: st.DataObject, how: str) -> None:
        {
            "clear": self.clear,
            "delete": lambda: self.delete(data.draw(FINAL_STATES), data),
            "recover": lambda: self.recover(data.draw(RUNNERS)),
            "prune surplus": lambda: self.prune_surplus(data.draw(st.integers(0, 2))),
            "prune old": lambda: self.prune_old(dead_too=data.draw(st.booleans())),
        }[how]()

    @rule(data=st.data(), what=st.sampled_from(["stop", "push", "forget scripts"]))
    def disturb(self, data: st.DataObject, what: str) -> None:
        if what == "push":  # a stranger puts an id into the list: a hint, and nothing more
            self.storage.r.lpush(key(self.storage, "jobs"), self.a_job(data, data.draw(STATES)))
        elif what == "forget scripts":
            self.storage.r.script_flush()
        else:
            self.storage.run(workers.stop())
            assert look(self.storage, 3).leases == []
            assert beat(self.storage).stopped
            self.time_passes()
            assert self.storage.run(workers.resume())

    # Ways to sweep --------------------------------------------------------------------------------

    def clear(self) -> None:
        pending = self.in_state(JobState.PENDING)
        assert self.storage.run(jobs.clear())[1] == len(pending)
        for job_id in pending:
            self.jobs[job_id].become(JobState.CANCELLED)

    def delete(self, state: JobState, data: st.DataObject) -> None:
        job_id = self.a_job(data, state)
        job = self.jobs.get(job_id)
        gone = [job_id] if job is not None and job.state is state else []
        assert self.storage.run(jobs.delete(state, [job_id])) == gone
        self.forget(gone)

    def recover(self, runner: str) -> None:
        lost = [id_ for id_ in self.in_state(JobState.PROCESSING) if self.jobs[id_].owner == runner]
        assert steps.recover(self.storage, [runner]) == len(lost)
        for job_id in lost:
            self.jobs[job_id].crash()

    def prune_surplus(self, keep: int) -> None:
        before = {state: len(self.in_state(state)) for state in FINAL}
        self.forget(prune(self.storage, max_finished=keep))
        for state in FINAL:
            assert len(self.in_state(state)) == min(keep, before[state])

    def prune_old(self, *, dead_too: bool) -> None:
        old = {JobState.COMPLETED, JobState.CANCELLED} | ({JobState.DEAD} if dead_too else set())
        gone = prune(self.storage, completed_retention=0, dead_retention=0 if dead_too else LONG)
        assert sorted(gone) == sorted(job_id for state in old for job_id in self.in_state(state))
        self.forget(gone)

    # What several steps do ------------------------------------------------------------------------

    def enqueue_some(self, many: int, variables: dict[bytes, bytes]) -> None:
        new = [f"{(self.count + n) % 3:04x}{self.count + n:08x}" for n in range(many)]
        self.count += many
        add_as(self.storage, new, b"true", variables, max_retries=str(MAX_RETRIES))
        self.jobs |= {job_id: Modelled(bool(variables)) for job_id in new}

    def claim_some(self, want: int, runner: str, lease_seconds: float) -> list[Lease]:
        self.time_passes()
        if not self.in_state(JobState.PENDING):
            self.enqueue_some(2, {})  # so that a run never runs dry
        taken = claim(self.storage, want, runner=runner, lease_seconds=lease_seconds)
        assert len(taken) == min(want, len(self.in_state(JobState.PENDING)))
        for lease in taken:
            job = self.jobs[lease.job_id]
            job.claimed(runner, expired=lease_seconds == EXPIRED)
            assert (lease.fence, lease.job.attempts) == (job.fence, job.attempts)
        self.leases += taken
        return taken

    def cancel_all(self, chosen: list[str]) -> None:
        expected = []
        for job_id in chosen:
            job = self.jobs.get(job_id)
            if job is None:
                expected.append("missing")
            elif job.state is JobState.PROCESSING:
                job.to_be_cancelled = True
                expected.append("requested")
            else:
                if job.state not in FINAL:
                    job.become(JobState.CANCELLED)
                expected.append(job.state.value)
        assert self.storage.run(jobs.cancel(chosen)) == expected

    def report(self, ended: list[Lease], ending: str, delay: float) -> None:
        """End leases in one call for each runner: held ones, lost ones, the same one twice."""
        for runner, leases_of_one in groupby(sorted(ended, key=runner_of), runner_of):
            self.report_of(runner, leases_of_one, ending, delay)

    def report_of(self, runner: str, ended: Iterable[Lease], ending: str, delay: float) -> None:
        """The same for one runner."""
        results, expected = [], []
        for lease in ended:
            verdict = ending
            if ending == FAILED_ATTEMPT:
                verdict = RETRY if lease.job.policy.allows_retry(lease.job.attempts + 1) else DEAD
            results.append((lease, Outcome(verdict, 1, delay=delay), "w"))
            job = self.held(lease)
            if job is not None:
                job.end(verdict, due=delay == 0)
            expected.append(job.state.value if job else "stale")
        assert self.storage.run(leases.finish(runner, results)) == expected

    def some_leases(self, data: st.DataObject) -> list[Lease]:
        """Leases that are held, or lost while the job runs again, rather than those of jobs that are long over."""
        lively = [lease for lease in self.leases if self.is_processing(lease.job_id)]
        choice = lively or self.leases
        return data.draw(st.lists(st.sampled_from(choice), min_size=1, max_size=3)) if choice else []

    def a_job(self, data: st.DataObject, state: JobState) -> str:
        """A job in this state, if there is one; else any, or none at all."""
        return data.draw(st.sampled_from(self.in_state(state) or [*self.jobs, "feedfeed"]))

    def is_processing(self, job_id: str) -> bool:
        return job_id in self.jobs and self.jobs[job_id].state is JobState.PROCESSING

    # The model ------------------------------------------------------------------------------------

    def time_passes(self) -> None:
        """What every claim and heartbeat brings about."""
        for job in self.jobs.values():
            if job.due and job.state is JobState.FAILED:
                job.become(JobState.PENDING)
            elif job.due and job.state is JobState.PROCESSING:
                job.crash()

    def in_state(self, state: JobState) -> list[str]:
        return [job_id for job_id, job in self.jobs.items() if job.state is state]

    def held(self, lease: Lease) -> Modelled | None:
        """The job that a lease still gives a right to."""
        job = self.jobs.get(lease.job_id)
        return job if job and job.state is JobState.PROCESSING and job.fence == lease.fence else None

    def forget(self, gone: list[str]) -> None:
        for job_id in gone:
            assert self.jobs.pop(job_id).state in FINAL

    # What always holds ----------------------------------------------------------------------------

    @invariant()
    def every_job_is_as_modelled_and_in_the_index_of_its_state_alone(self) -> None:
        found: dict[str, Modelled] = {}
        for state, index in INDEXES.items():
            for job_id in ids_in(self.storage, index):
                assert job_id not in found, "in two indexes"
                fields = fields_of(self.storage, job_id)
                assert fields["status"].decode() == state
                found[job_id] = replace(
                    self.jobs[job_id],
                    has_variables="env" in fields,
                    state=state,
                    fence=int(fields.get("fence", 0)),
                    attempts=int(fields["attempts"]),
                    crashes=int(fields.get("crashes", 0)),
                    to_be_cancelled="cancel_requested" in fields,
                )
        assert found == self.jobs

    @invariant()
    def counts_add_up(self) -> None:
        counts = self.storage.run(overview()).jobs
        assert counts == {state: len(self.in_state(state)) for state in JobState}
        assert sum(counts.values()) == len(self.jobs)

    @invariant()
    def no_hint_is_missing(self) -> None:
        r = self.storage.r
        assert set(self.in_state(JobState.PENDING)) <= set(r.lrange(key(self.storage, "jobs"), 0, -1))
        assert set(self.in_state(JobState.DEAD)) <= set(r.lrange(key(self.storage, "dead_letter"), 0, -1))
        found = {id_ for prefix in ("0000", "0001", "0002") for id_ in self.storage.run(jobs.find(prefix, 1_000))}
        assert found == self.jobs.keys()

    @invariant()
    def caps_hold_and_fences_only_rise(self) -> None:
        for job_id, job in self.jobs.items():
            assert job.attempts <= MAX_RETRIES + 1
            assert job.crashes <= MAX_CRASHES
            assert job.fence >= self.fences.get(job_id, 0)
            self.fences[job_id] = job.fence

    @invariant()
    def shared_variables_live_as_long_as_their_jobs(self) -> None:
        stored = self.storage.r.keys(key(self.storage, "env:*"))
        assert sum(int(self.storage.r.hget(name, "jobs")) for name in stored) == sum(
            job.has_variables for job in self.jobs.values()
        )


def named(lease: Lease) -> tuple[str, int]:
    return lease.job_id, lease.fence


def test_any_sequence_of_calls(valkey_server: Server) -> None:
    class Machine(Lifecycle):
        make_storage = staticmethod(lambda: RedisStorage(valkey_server.url, "machine"))

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
