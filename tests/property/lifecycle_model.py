"""What a job must be after any step: its lifecycle again, in a few lines of Python."""

from __future__ import annotations

from dataclasses import dataclass

from queuectl.model.lifecycle import MAX_CRASHES, TRANSITIONS, JobState
from queuectl.model.outcome import CRASHED, HANDED_BACK, RETRY


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
        assert state in TRANSITIONS[self.state], f"{self.state} -> {state}"
        self.state = state
        self.due = False
        self.to_be_cancelled = False

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
            state = JobState.FAILED if verdict == RETRY else JobState(verdict)
            if self.to_be_cancelled and state is not JobState.COMPLETED:
                state = JobState.CANCELLED
            self.become(state)
            self.due = due and state is JobState.FAILED

    def retry(self) -> None:
        self.become(JobState.PENDING)
        self.attempts = self.crashes = 0
