"""Any sequence of calls, on the real scripts and a real server, held to a small model of the queue."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule, run_state_machine_as_test

from queuectl.model.job import CANCELLED, COMPLETED, CRASHED, DEAD, HANDED_BACK, RETRY, Outcome
from queuectl.model.lifecycle import FINAL, JobState, is_legal
from queuectl.model.limits import MAX_CRASHES
from queuectl.storage import RedisStorage
from queuectl.storage.codec import Lease
from servers import Server
from steps import EXPIRED, LONG, add_as, beat, claim, fields_of, ids_in, key, prune

EXAMPLES = 5_000 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 60
STEPS = 30
MAX_RETRIES = 2

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
FAILED_ATTEMPT = "failed"
"""Not a verdict: the worker makes one of it, by the policy."""


@dataclass
class Modelled:
    """What a job must be."""

    has_variables: bool
    state: JobState = JobState.PENDING
    fence: int = 0
    attempts: int = 0
    crashes: int = 0
    owner: str = ""
    to_be_cancelled: bool = False
    due: bool = False  # its pause or its lease is over

    def become(self, state: JobState) -> None:
        """The one place where the model changes a state: no step may be one that the table doesn't have."""
        assert is_legal(self.state, state), f"{self.state} -> {state}"
        self.state = state
        self.due = False

    def claimed(self, runner: str, *, expired: bool) -> None:
        self.become(JobState.PROCESSING)
        self.fence += 1
        self.owner = runner
        self.due = expired

    def crash(self) -> None:
        self.crashes += 1
        if self.to_be_cancelled:
            self.become(JobState.CANCELLED)
        elif self.crashes >= MAX_CRASHES:
            self.become(JobState.DEAD)
        else:
            self.become(JobState.PENDING)

    def end(self, verdict: str, *, due: bool) -> None:
        """Take a worker's report."""
        if verdict == CRASHED:
            self.crash()
        elif verdict == HANDED_BACK:
            self.become(JobState.CANCELLED if self.to_be_cancelled else JobState.PENDING)
        else:
            self.attempts += 1
            if verdict == RETRY:
                self.become(JobState.CANCELLED if self.to_be_cancelled else JobState.FAILED)
                self.due = due and self.state is JobState.FAILED
            else:
                self.become(JobState(verdict))

    def retry(self) -> None:
        self.become(JobState.PENDING)
        self.attempts = self.crashes = 0
        self.to_be_cancelled = False


class Lifecycle(RuleBasedStateMachine):
    """The queue and its model, side by side."""

    ids = Bundle("ids")
    leases = Bundle("leases")
    make_storage: Callable[[], RedisStorage]

    def __init__(self) -> None:
        super().__init__()
        self.storage = self.make_storage()
        self.jobs: dict[str, Modelled] = {}
        self.count = 0
        self.stopped = False
        self.fences: dict[str, int] = {}

    def teardown(self) -> None:
        self.storage.r.flushall()
        self.storage.close()

    # Steps ----------------------------------------------------------------------------------------

    @rule(target=ids, many=st.integers(1, 4), variables=VARIABLES)
    def enqueue(self, many: int, variables: dict[bytes, bytes]) -> object:
        new = [f"{(self.count + n) % 3:04x}{self.count + n:08x}" for n in range(many)]
        self.count += many
        add_as(self.storage, new, b"true", variables, max_retries=str(MAX_RETRIES))
        self.jobs |= {job_id: Modelled(bool(variables)) for job_id in new}
        return multiple(*new)

    @rule(target=leases, want=st.integers(1, 3), runner=RUNNERS, lease_seconds=LEASES)
    def claim(self, want: int, runner: str, lease_seconds: float) -> object:
        self.time_passes()
        taken = claim(self.storage, want, runner=runner, lease_seconds=lease_seconds)
        pending = self.in_state(JobState.PENDING)
        assert len(taken) == (0 if self.stopped else min(want, len(pending)))
        for lease in taken:
            job = self.jobs[lease.job_id]
            job.claimed(runner, expired=lease_seconds == EXPIRED)
            assert (lease.fence, lease.attempts) == (job.fence, job.attempts)
        return multiple(*taken)

    @rule(
        ended=st.lists(leases, min_size=1, max_size=3),
        ending=st.sampled_from([COMPLETED, FAILED_ATTEMPT, DEAD, CANCELLED, HANDED_BACK, CRASHED]),
        delay=DELAYS,
    )
    def finish(self, ended: list[Lease], ending: str, delay: float) -> None:
        """Report on leases: held ones, lost ones, the same one twice."""
        results, expected = [], []
        for lease in ended:
            verdict = ending
            if ending == FAILED_ATTEMPT:
                verdict = RETRY if lease.policy.allows_retry(lease.attempts + 1) else DEAD
            results.append((lease, Outcome(verdict, 1, "", 0.0, delay), "w"))
            job = self.held(lease)
            if job is not None:
                job.end(verdict, due=delay == 0)
            expected.append(job.state.value if job else "stale")
        assert self.storage.finish(results) == expected

    @rule(kept=st.lists(leases, max_size=3), runner=RUNNERS, lease_seconds=LEASES)
    def heartbeat(self, kept: list[Lease], runner: str, lease_seconds: float) -> None:
        pulse = beat(self.storage, runner=runner, waiting=kept, lease_seconds=lease_seconds)
        held = {lease: job for lease in kept if (job := self.held(lease))}
        assert pulse.lost == [lease.job_id for lease in kept if lease not in held]
        assert pulse.cancelled == [x.job_id for x in kept if x in held and held[x].to_be_cancelled]
        assert pulse.stopped == self.stopped
        for job in held.values():
            job.due = lease_seconds == EXPIRED
        self.time_passes()

    @rule(chosen=st.lists(ids, min_size=1, max_size=2, unique=True))
    def cancel(self, chosen: list[str]) -> None:
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
        assert self.storage.cancel(chosen) == expected

    @rule()
    def clear(self) -> None:
        pending = self.in_state(JobState.PENDING)
        assert self.storage.clear()[1] == len(pending)
        for job_id in pending:
            self.jobs[job_id].become(JobState.CANCELLED)

    @rule(job_id=ids)
    def retry_dead(self, job_id: str) -> None:
        job = self.jobs.get(job_id)
        if job is not None and job.state is JobState.DEAD:
            job.retry()
        assert self.storage.dlq_retry([job_id]) == [job.state.value if job else "missing"]

    @rule(job_id=ids, state=st.sampled_from(sorted(FINAL)))
    def delete(self, job_id: str, state: JobState) -> None:
        job = self.jobs.get(job_id)
        gone = [job_id] if job is not None and job.state is state else []
        assert self.storage.delete(state, [job_id]) == gone
        self.forget(gone)

    @rule(runner=RUNNERS)
    def recover(self, runner: str) -> None:
        lost = [id_ for id_ in self.in_state(JobState.PROCESSING) if self.jobs[id_].owner == runner]
        assert self.storage.recover([runner]) == len(lost)
        for job_id in lost:
            self.jobs[job_id].crash()

    @rule(keep=st.integers(0, 2))
    def prune_surplus(self, keep: int) -> None:
        gone = prune(self.storage, max_finished=keep)
        before = {state: len(self.in_state(state)) for state in FINAL}
        self.forget(gone)
        for state in FINAL:
            assert len(self.in_state(state)) == min(keep, before[state])

    @rule(dead_too=st.booleans())
    def prune_old(self, dead_too: bool) -> None:
        old = {JobState.COMPLETED, JobState.CANCELLED} | ({JobState.DEAD} if dead_too else set())
        gone = prune(self.storage, completed_retention=0, dead_retention=0 if dead_too else LONG)
        assert sorted(gone) == sorted(job_id for state in old for job_id in self.in_state(state))
        self.forget(gone)

    @rule()
    def stop_or_resume(self) -> None:
        self.stopped = not self.stopped
        if self.stopped:
            self.storage.stop()
        else:
            assert self.storage.resume()

    @rule(job_id=ids | st.just("feedfeed"))
    def push_from_outside(self, job_id: str) -> None:
        """A stranger puts an id into the list: a hint, and nothing more."""
        self.storage.r.lpush(key(self.storage, "jobs"), job_id)

    @rule()
    def forget_scripts(self) -> None:
        self.storage.r.script_flush()

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
        counts = self.storage.overview().jobs
        assert counts == {state: len(self.in_state(state)) for state in JobState}
        assert sum(counts.values()) == len(self.jobs)

    @invariant()
    def no_hint_is_missing(self) -> None:
        r = self.storage.r
        assert set(self.in_state(JobState.PENDING)) <= set(r.lrange(key(self.storage, "jobs"), 0, -1))
        assert set(self.in_state(JobState.DEAD)) <= set(r.lrange(key(self.storage, "dead_letter"), 0, -1))
        found = {id_ for prefix in ("0000", "0001", "0002") for id_ in self.storage.find(prefix, 1_000)}
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
