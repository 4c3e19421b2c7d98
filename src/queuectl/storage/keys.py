"""The names of all keys, what each holds, and how long it lives.

key                         type         holds; lives until
==========================  ===========  ==============================================================
``jobs``                    List         ids of pending jobs, taken from the right; hints, the hash decides
``jobs:<id>``               Hash         the job; until retention or `dlq clear` removes it
``config``                  Hash         settings of the whole queue; permanent, a few fields
``retry_queue``             Sorted Set   failed jobs by the time of their next attempt
``dead_letter``             List         ids of dead jobs; hints, trimmed as jobs leave
``stop_signal``             String       ``true`` while workers are told to stop; until `worker resume`
``worker:<name>``           Hash         one worker; expires when it stops beating
``workers``, ``runners``    Sorted Set   names by the time at which they count as gone; trimmed by heartbeats
``running``                 Sorted Set   processing jobs by the end of their lease
``idx:<state>``             Sorted Set   jobs of a state by the time they entered it; as long as the jobs
``ids:<4 digits>``          Set          ids with this prefix; as long as the jobs
``env:<digest>``            Hash         variables that jobs share, and how many do; removed with the last job
``wake:default``            List         at most one token: work has come
``control:<runner>``        List         messages to one runner; expires after an hour
``claimed:<runner>``        String       its connection's number, what its last claim gave; expires after an hour
``pulse``                   String       when a runner was last heard, how long a silence is usual; permanent
``set_aside``               List         ids found in the queue that no job can have; the last 1,000
``schema``                  String       version of this layout; permanent
``origin``                  String       when the first job came, so that workers notice FLUSHALL; permanent
``done:<id>``               channel      announces the final state of a watched job
==========================  ===========  ==============================================================
=======
The scripts build the same names in ``lua/``; a test checks that the two agree.
"""

from __future__ import annotations

from typing import NamedTuple


class Key(NamedTuple):
    """A key, or all keys of one kind: ``<...>`` stands for what differs.

    ``kind``: the type of its value. ``lives``: until when, and what bounds it.
    """

    name: str
    kind: str
    holds: str
    lives: str


KEYS = (
    Key(
        "jobs",
        "List",
        "ids of pending jobs, taken from the right; hints, the hash decides",
        "while jobs are pending",
    ),
    Key("jobs:<id>", "Hash", "the job", "until retention or `dlq clear` removes it"),
    Key("config", "Hash", "settings of the whole queue", "permanent, a few fields"),
    Key("retry_queue", "Sorted Set", "failed jobs by the time of their next attempt", "until that time"),
    Key("dead_letter", "List", "ids of dead jobs; hints", "trimmed as jobs leave"),
    Key("stop_signal", "String", "`true` while workers are told to stop", "until `worker resume`"),
    Key("worker:<name>", "Hash", "one worker", "expires when it stops beating"),
    Key("workers", "Sorted Set", "workers by the time at which they count as gone", "trimmed by heartbeats"),
    Key("runners", "Sorted Set", "runners by the time at which they count as gone", "trimmed by heartbeats"),
    Key("running", "Sorted Set", "processing jobs by the end of their lease", "as long as the leases"),
    Key("idx:<state>", "Sorted Set", "jobs of a state by the time they entered it", "as long as the jobs"),
    Key("ids:<4 digits>", "Set", "ids with this prefix", "as long as the jobs"),
    Key("env:<digest>", "Hash", "variables that jobs share, and how many do", "removed with the last job"),
    Key("wake:default", "List", "at most one token: work has come", "until a runner takes it"),
    Key("control:<runner>", "List", "messages to one runner", "expires after an hour"),
    Key("claimed:<runner>", "String", "its connection's number, what its last claim gave", "expires after an hour"),
    Key("pulse", "String", "when a runner was last heard, how long a silence is usual", "permanent"),
    Key("set_aside", "List", "ids found in the queue that no job can have", "the last 1,000"),
    Key("schema", "String", "version of this layout", "permanent"),
    Key("origin", "String", "when the first job came, so that workers notice FLUSHALL", "permanent"),
    Key("done:<id>", "channel", "announces the final state of a watched job", "not stored"),
)
"""All of them, without the namespace and the colon that come first."""


class Keys:
    """The keys of one namespace that are used outside the scripts."""

    __slots__ = ("config", "namespace", "wake")

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.config = f"{namespace}:config"
        self.wake = f"{namespace}:wake:default"

    def job(self, job_id: str) -> str:
        """Return the key of a job's hash."""
        return f"{self.namespace}:jobs:{job_id}"

    def index(self, state: str) -> str:
        """Return the key of a state's index."""
        name = {"processing": "running", "failed": "retry_queue"}.get(state, f"idx:{state}")
        return f"{self.namespace}:{name}"

    def worker(self, name: str) -> str:
        """Return the key of a worker's hash."""
        return f"{self.namespace}:worker:{name}"

    def control(self, runner: str) -> str:
        """Return the key of the list of messages to a runner."""
        return f"{self.namespace}:control:{runner}"

    def environment(self, digest: str) -> str:
        """Return the key of the variables that jobs with this digest share."""
        return f"{self.namespace}:env:{digest}"

    def done(self, job_id: str) -> str:
        """Return the channel that announces the end of a watched job."""
        return f"{self.namespace}:done:{job_id}"
