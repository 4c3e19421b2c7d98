"""Whether all went as promised: every result of the demonstration, compared with what it must be."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from demo import work
from demo.queuectl import Queuectl, processes_of
from demo.terminal import FINAL, say, verdict

SAMPLE = 10


class Checks:
    """Looks at a drained queue. ``added`` is what each acknowledged id stands for: (kind, command).

    Each check collects what is wrong, prints its result, and goes on. `failures` are those that failed, in words.
    """

    def __init__(self, queuectl: Queuectl, added: Mapping[str, tuple[str, str]]) -> None:
        self._queuectl = queuectl
        self._added = added
        self._jobs = {job["id"]: job for job in queuectl.objects("list", "--limit", "0")}
        self.failures: list[str] = []

    def all(self) -> None:
        """Every check of the drained queue."""
        self.states()
        self.checksums()
        self.dead_letters()
        self.lucky_ones()
        self.leftovers()

    def states(self) -> None:
        """Every acknowledged id is in exactly one final state, and nothing else is there."""
        found = {state: self._ids_listed("list", "--state", state) for state in FINAL}
        times = Counter(job_id for ids in found.values() for job_id in ids)
        wrong = [job_id for job_id in {*self._added, *times, *self._jobs} if times[job_id] != 1]
        wrong += set(self._jobs) ^ set(self._added)
        summary = ", ".join(f"{len(ids)} {state}" for state, ids in found.items() if ids)
        self._result(wrong, f"each of the {len(self._added)} jobs is in exactly one final state ({summary})")

    def checksums(self) -> None:
        """Every file's checksum is the one that the same command gives when it is run directly."""
        ids = self._ids("files")
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            direct = dict(zip(ids, threads.map(_run_directly, [self._added[i][1] for i in ids]), strict=True))
        logs = _newest_logs(self._queuectl.home)
        wrong = [i for i in ids if i not in logs or logs[i].read_bytes() != direct[i]]
        wrong += [i for i in ids if self._jobs[i]["status"] != "completed"]
        self._result(wrong, f"all {len(ids)} checksums equal those computed without queuectl")
        sample = ids[:: max(1, len(ids) // SAMPLE)][:SAMPLE]
        wrong = [i for i in sample if self._log(i) != os.fsdecode(direct[i])]
        self._result(wrong, f"`queuectl logs ID` shows them as well (tried with {len(sample)})")

    def dead_letters(self) -> None:
        """What failed for good is in the dead letter queue, after as many attempts as it was allowed."""
        fails, hangs = self._ids("fails"), self._ids("hangs")
        self._result(
            self._dead() ^ {*fails, *hangs},
            f"the dead letter queue holds the {len(fails)} that fail and the {len(hangs)} that never end",
        )
        wrong = [i for i in fails if self._told(i, "attempts", "exit_code") != (work.RETRIES + 1, work.EXIT_CODE)]
        self._result(wrong, f"those that fail had {work.RETRIES + 1} attempts each, and exit code {work.EXIT_CODE}")
        wrong = [i for i, text in zip(fails, work.complaints(), strict=True) if text not in self._log(i)]
        self._result(wrong, "what they wrote to standard error is in their logs")
        wrong = [i for i in hangs if self._told(i, "attempts", "exit_code") != (2, None)]
        self._result(wrong, "those that never end were ended at their time limit, twice each")

    def lucky_ones(self) -> None:
        """What failed once was tried again, and succeeded."""
        ids = self._ids("lucky")
        wrong = [i for i in ids if self._told(i, "status", "attempts") != ("completed", 2)]
        self._result(wrong, f"the {len(ids)} that fail once succeeded at their second attempt")

    def leftovers(self) -> None:
        """No process of any job lives on, and no killed worker is still listed."""
        self._result(self._queuectl.objects("worker", "list"), "no killed worker is listed as if it lived")
        if Path("/proc/self/environ").exists():
            self._result(list(processes_of(set(self._added))), "no process of any job is left")
        else:
            say("(Whether a process was left behind can be checked on Linux only.)", indent=10)

    def retried(self, job_id: str) -> None:
        """A job that was taken out of the dead letter queue has succeeded, and is no longer in it."""
        (job,) = self._queuectl.objects("show", job_id)
        wrong = [job_id] if job["status"] != "completed" or job_id in self._dead() else []
        self._result(wrong, "it ran again, succeeded, and has left the dead letter queue")

    # What is there --------------------------------------------------------------------------------

    def _ids(self, kind: str) -> list[str]:
        return [job_id for job_id, (its_kind, _) in self._added.items() if its_kind == kind]

    def _ids_listed(self, *command: str) -> list[str]:
        return [job["id"] for job in self._queuectl.objects(*command, "--limit", "0")]

    def _dead(self) -> set[str]:
        return set(self._ids_listed("dlq", "list"))

    def _told(self, job_id: str, *names: str) -> tuple[Any, ...]:
        return tuple(self._jobs[job_id][name] for name in names)

    def _log(self, job_id: str) -> str:
        return self._queuectl("logs", job_id)

    def _result(self, wrong: Sequence[object] | set[str], text: str) -> None:
        verdict(not wrong, text)
        if wrong:
            self.failures.append(text)
            say(f"{len(wrong)} wrong: {' '.join(map(str, list(wrong)[:5]))}", indent=10)


def _run_directly(command: str) -> bytes:
    return subprocess.run(["/bin/sh", "-c", command], stdout=subprocess.PIPE, check=True).stdout


def _newest_logs(home: Path) -> dict[str, Path]:
    """The log of each job's last run. Logs are plain files: ``logs/9fa2/9fa21c07....ATTEMPT.RUN.log``."""
    newest: dict[str, tuple[int, Path]] = {}
    for path in home.glob("logs/*/*.log"):
        job_id, _, run, _ = path.name.split(".")
        newest[job_id] = max(newest.get(job_id, (0, path)), (int(run), path))
    return {job_id: path for job_id, (_, path) in newest.items()}
