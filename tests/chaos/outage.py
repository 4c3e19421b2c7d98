"""A server outage: measures its effect on producers, workers and running jobs.

`make chaos ARGS="--outage 600"`.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import cli
from queuectl.errors import QueuectlError
from queuectl.model.job import Job
from queuectl.model.lifecycle import JobState
from queuectl.storage import RedisStorage, reads
from waiting import wait_until

from .network import Network
from .run import in_folder, line_to_servers, sandbox

LEASE_SECONDS = 30.0
BACK_WITHIN_SECONDS = 1.0
"""By then workers have to run jobs again, once the server is back."""

LONG_JOB_SECONDS = 5.0
"""A running job goes on for so long after the server's return, if it is left alone."""


def measure(seconds: float, folder: Path) -> dict[str, Any]:
    """Stop the server for this long; return the observations, with violations under ``broken``."""
    with in_folder(folder), line_to_servers(folder) as network:
        storage = RedisStorage()
        with cli.pool(storage, "--lease", f"{LEASE_SECONDS:g}", count=2):
            return _outage(network, storage, seconds)


def _outage(network: Network, storage: RedisStorage, seconds: float) -> dict[str, Any]:
    held = cli.enqueue(f"date +%s.%N >>began; sleep {seconds + LONG_JOB_SECONDS:g}; echo end >>ended")
    wait_until(lambda: Path("began").exists())
    storage.close()
    network.kill()
    down_at = time.time()
    refused = cli.run("enqueue", "true", code=69)
    patient = cli.spawn("enqueue", "--wait-for-server", "date +%s.%N >patient")
    time.sleep(max(0.0, down_at + seconds - time.time()))
    assert patient.poll() is None
    network.restart()
    back_at = time.time()
    (first,) = cli.finish(patient).lines
    begun = wait_until(lambda: Path("patient").exists() and Path("patient").read_text(), 60)
    _wait_for_end(storage, first)
    after = _wait_for_end(storage, held, 2 * (seconds + LEASE_SECONDS) + 60)
    began = len(Path("began").read_text().splitlines())
    lag = float(begun) - back_at
    found: dict[str, Any] = {
        "down_seconds": seconds,
        "said": refused.err.strip().splitlines()[0],
        "first_job_after_seconds": round(lag, 3),
        "the_running_job": {"began": began, "fence": after.fence, "crashes": after.crashes},
        "results": len(Path("ended").read_text().splitlines()),
    }
    found["broken"] = list(_broken(found, after, seconds))
    return found


def _broken(found: dict[str, Any], job: Job, seconds: float) -> list[str]:
    broken = []
    if found["first_job_after_seconds"] > BACK_WITHIN_SECONDS:
        broken.append(f"workers were back after {found['first_job_after_seconds']} s")
    if job.state is not JobState.COMPLETED:
        broken.append(f"the running job is {job.state.value}")
    if found["results"] != 1:
        broken.append(f"the running job came to its end {found['results']} times")
    if seconds < LEASE_SECONDS / 2 and found["the_running_job"] != {"began": 1, "fence": 1, "crashes": 0}:
        broken.append("the running job was not left alone")
    return broken


def _wait_for_end(storage: RedisStorage, job_id: str, seconds: float = 60) -> Job:
    def over() -> Job | None:
        try:
            job = reads.job(storage, job_id)
        except QueuectlError:
            return None
        return job if job and job.state in (JobState.COMPLETED, JobState.DEAD) else None

    found = wait_until(over, seconds)
    assert found is not None
    return found


def report(seconds: float) -> dict[str, Any]:
    """Run the outage and print the results; return the violations."""
    with tempfile.TemporaryDirectory(prefix="outage-") as folder, sandbox():
        found = measure(seconds, Path(folder))
    print(json.dumps(found, indent=2))
    return found
