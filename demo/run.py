"""`make demo`: run some 600 real jobs, kill the workers twice on the way, and check every single result.

Exit code 0 when all is as it should be. Everything happens in a temporary folder, which is removed at the end.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from demo import work
from demo.checks import Checks
from demo.queuectl import DemoError, Queuectl
from demo.terminal import Progress, heading, is_final, say, verbatim

WORKERS = 4
LONGEST_SECONDS = 60.0
"""After this a drain counts as stuck. The longest takes about 5 seconds on two processors."""

Added = dict[str, tuple[str, str]]


def main() -> int:
    """Run the demonstration in a folder of its own; gives the exit code."""
    begun = time.monotonic()
    home = Path(tempfile.mkdtemp(prefix="queuectl-demo-"))
    queuectl: Queuectl | None = None
    try:
        queuectl = Queuectl(home)
        failures = _story(queuectl)
    except DemoError as error:
        failures = [str(error)]
    except KeyboardInterrupt:
        say()
        say("Interrupted; cleaning up.", indent=0)
        return 130
    finally:
        if queuectl is not None:
            queuectl.shut_down()
        shutil.rmtree(home, ignore_errors=True)
    say()
    if failures:
        say(f"The demonstration FAILED: {'; '.join(failures)}", indent=0)
        return 1
    say(
        f"All is well, after {time.monotonic() - begun:.0f} seconds: nothing was lost, nothing left behind.",
        indent=0,
    )
    say("Now your own:  .venv/bin/queuectl run 'echo hello'", indent=0)
    return 0


def _story(queuectl: Queuectl) -> list[str]:
    heading("1. Add jobs to the queue")
    say("A job is a shell command. Each gets an id as soon as it is safely on disk.")
    added = _add(queuectl)

    heading(f"2. Run them with {WORKERS} workers, and kill them twice on the way")
    say(
        f"Each of the {WORKERS} runs one job at a time, and holds a few short ones ready."
        " Killed without a warning, they must lose nothing."
    )
    _drain(queuectl, len(added))

    heading("3. Check everything")
    checks = Checks(queuectl, added)
    checks.all()

    heading("4. Repair a failed job and try it again")
    _retry(queuectl, checks, added)

    heading("5. The whole system at a glance: queuectl status")
    verbatim(queuectl("status"))
    return checks.failures


def _add(queuectl: Queuectl) -> Added:
    files = work.compress(work.real_files())
    half = len(files.commands) // 2
    # The troublemakers go in the middle, so that they are at work when the workers are killed.
    batches = [
        ("files", files._replace(commands=files.commands[:half])),
        ("fails", work.failing(queuectl.home)),
        ("hangs", work.hanging()),
        ("lucky", work.second_time_lucky()),
        ("files", files._replace(commands=files.commands[half:])),
    ]
    added: Added = {}
    for kind, batch in batches:
        ids = queuectl.add(batch.commands, *batch.options)
        added.update((job_id, (kind, command)) for job_id, command in zip(ids, batch.commands, strict=True))
    numbers = Counter(kind for kind, _ in added.values())
    for kind, title in {kind: batch.title for kind, batch in batches}.items():
        say(f"{numbers[kind]:>5} {title}")
    return added


def _drain(queuectl: Queuectl, total: int) -> None:
    progress = Progress()
    worker = queuectl.start_workers(WORKERS)
    _watch(queuectl, worker, progress, until=total // 4)
    say(f"Killing the worker process {worker.pid} (kill -9), and starting another.")
    worker.send_signal(signal.SIGKILL)
    worker.wait()

    worker = queuectl.start_workers(WORKERS)
    _watch(queuectl, worker, progress, until=total // 2)
    say(f"Killing the worker process {worker.pid} and all its helpers at once, and starting another.")
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()

    worker = queuectl.start_workers(WORKERS)
    _watch(queuectl, worker, progress, until=total)
    try:
        code = worker.wait(30)
    except subprocess.TimeoutExpired:
        raise DemoError("the workers did not end, though nothing is left to do") from None
    if code != 0:
        raise DemoError(f"the worker process ended with {code}: {queuectl.worker_messages()}")


def _watch(queuectl: Queuectl, worker: subprocess.Popen[bytes], progress: Progress, until: int) -> None:
    """Show the progress until so many jobs are done."""
    give_up = time.monotonic() + LONGEST_SECONDS
    while True:
        ended = worker.poll() is not None  # asked first: what it did is in the counts
        counts = queuectl.counts()
        done = sum(count for state, count in counts.items() if is_final(state))
        if done >= until:
            progress.leave(counts)
            return
        if ended:
            raise DemoError(f"the worker process ended with {worker.returncode}: {queuectl.worker_messages()}")
        if time.monotonic() > give_up:
            raise DemoError(f"after {LONGEST_SECONDS:.0f} seconds only this was done: {counts}")
        progress.show(counts)
        time.sleep(0.1)


def _retry(queuectl: Queuectl, checks: Checks, added: Added) -> None:
    job_id = [job_id for job_id, (kind, _) in added.items() if kind == "fails"][-1]
    say("One job failed because a file was missing. Its log says so:")
    verbatim(f"$ queuectl logs {job_id[:8]}\n{queuectl('logs', job_id)}")
    work.missing_file(queuectl.home).write_text("here it is\n")
    say("Now the file is there, so the job gets another chance:")
    queuectl("dlq", "retry", job_id)
    verbatim(f"$ queuectl dlq retry {job_id[:8]}")
    if queuectl.start_workers(1).wait(60) != 0:
        raise DemoError(f"the worker process failed: {queuectl.worker_messages()}")
    checks.retried(job_id)


if __name__ == "__main__":
    sys.exit(main())
