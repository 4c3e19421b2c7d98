"""The jobs that a runner holds: claimed ones that have not started, and running ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from queuectl.model.job import Lease
from queuectl.model.outcome import HANDED_BACK, Outcome
from queuectl.worker.attempt import process
from queuectl.worker.attempt.attempts import Attempts
from queuectl.worker.loop import Loop, Once
from queuectl.worker.phase import Phases
from queuectl.worker.runner.environments import Environments
from queuectl.worker.runner.lease_time import LeaseTime
from queuectl.worker.runner.phase import Phase
from queuectl.worker.runner.results import Results

AHEAD = 16
"""How many jobs we claim beyond the free workers while jobs prove to be short."""

SHORT_SECONDS = 0.05
"""We claim ahead if the mean job is shorter than this. With longer jobs, another pool could starve."""


class Jobs:
    """Starts claimed jobs in order. ``runner`` is the name under which it hands unstarted jobs back."""

    def __init__(
        self,
        runner: str,
        attempts: Attempts,
        results: Results,
        environments: Environments,
        lease_time: LeaseTime,
        loop: Loop,
        phases: Phases[Phase],
    ) -> None:
        self._runner = runner
        self._attempts = attempts
        self._results = results
        self._environments = environments
        self._lease_time = lease_time
        self._loop = loop
        self._phases = phases
        self._waiting: deque[Lease] = deque()
        self._no_room_until = 0.0
        self._started_then = 0
        self._held_up = Once(loop, self._check_held_up)

    # State ----------------------------------------------------------------------------------------

    @property
    def draining(self) -> bool:
        """Whether it takes no new jobs."""
        return self._phases.now is not Phase.WORKING

    def wanted(self) -> int:
        """How many jobs it could take now."""
        if self._phases.now is not Phase.WORKING or self._loop.now < self._no_room_until:
            return 0
        ahead = AHEAD if self._attempts.mean_seconds < SHORT_SECONDS else 0
        return max(0, len(self._attempts.free) + ahead - len(self._waiting))

    def waiting(self) -> Sequence[Lease]:
        """Claimed jobs that no worker has started."""
        return self._waiting

    def leases(self) -> list[Lease]:
        """Return the leases of all jobs, running or waiting."""
        return [*self._attempts.leases(), *self._waiting]

    def __bool__(self) -> bool:
        """Whether it holds any lease."""
        return bool(self._waiting or self._attempts)

    # Starting -------------------------------------------------------------------------------------

    def take(self, leases: Sequence[Lease]) -> None:
        """Take jobs that were claimed."""
        self._waiting.extend(leases)
        if self.draining or self._loop.now < self._no_room_until:
            self.hand_back()

    def start_waiting(self) -> bool:
        """Start waiting jobs on the free workers; return whether any was started.

        Raises OSError if the machine has no room for a process. Then all waiting jobs were handed back, as other
        machines may have room.
        """
        if not self._waiting:
            return False
        attempts, started_before = self._attempts, self._attempts.started
        incomplete: list[Lease] = []
        while self._waiting:
            if self._lease_time.is_over:
                self.hand_back()
                break
            if not attempts.free:
                break
            lease = self._waiting.popleft()
            environment = self._environments.get(lease.job.env)
            if environment is None:
                incomplete.append(lease)
                continue
            try:
                attempts.start(lease, environment)
            except OSError:
                self._waiting.extendleft((lease, *reversed(incomplete)))
                self.hand_back()
                raise
        self._waiting.extendleft(reversed(incomplete))
        for lease in incomplete:
            self._environments.fetch(lease.job.env)
        if self._waiting and not attempts.free and not self._held_up.planned:
            self._started_then = attempts.started
            self._held_up.plan(SHORT_SECONDS)
        return attempts.started > started_before

    def take_none_for(self, seconds: float) -> None:
        """Pause: the machine had no room for a process, but may have later."""
        self._no_room_until = self._loop.now + seconds

    def _check_held_up(self) -> None:
        """Hand back jobs claimed ahead once all workers are stuck with long jobs: other pools may be free."""
        if self._waiting and not self._attempts.free and self._attempts.started == self._started_then:
            self._attempts.expect_long()
            self.hand_back()

    # Ending ---------------------------------------------------------------------------------------

    def hand_back(self) -> None:
        """Hand back all jobs that no worker has started."""
        # Last one first: each goes to the front of the queue, so the order stays.
        while self._waiting:
            self._results.add(self._waiting.pop(), Outcome(HANDED_BACK), self._runner)

    def cancel(self, job_id: str, fence: int) -> None:
        """Stop this job on a person's request."""
        for lease in [lease for lease in self._waiting if (lease.job_id, lease.fence) == (job_id, fence)]:
            self._waiting.remove(lease)
            self._results.add(lease, Outcome(HANDED_BACK), self._runner)  # the server knows that it is cancelled
        for running in self._attempts.with_lease(job_id, fence):
            self._attempts.end(running, process.BY_PERSON)

    def lose(self, job_id: str, fence: int) -> None:
        """Stop the job: another runner has its lease now."""
        self._waiting = deque(lease for lease in self._waiting if (lease.job_id, lease.fence) != (job_id, fence))
        for running in self._attempts.with_lease(job_id, fence):
            self._attempts.kill(running, process.LEASE_LOST)

    def lose_all(self) -> None:
        """Kill all: their leases are about to expire. If the server returns first, the jobs are handed back."""
        self.hand_back()
        self._kill_all(process.BY_DRAIN)

    def quit(self) -> None:
        """Stop the running jobs; they go back to the queue, and nothing is counted."""
        for running in list(self._attempts.running):
            self._attempts.end(running, process.BY_DRAIN)

    def abandon(self) -> None:
        """Kill the running jobs: if we are killed too, nobody could."""
        self._kill_all(process.BY_POOL_DEATH)

    def _kill_all(self, ending: process.Ending) -> None:
        for running in list(self._attempts.running):
            self._attempts.kill(running, ending)
