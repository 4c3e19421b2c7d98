"""A running job can carry a note that its processes can't be killed. The note counts for one lease."""

from __future__ import annotations

from queuectl.model.cause import UNKILLABLE
from queuectl.storage import RedisStorage, reads
from queuectl.storage.calls.leases import Held, note_unkillable, recover
from steps import add, claim, key

MARKS, WORDS = "4711:99", "process 4711 (sleep) of root"


def cause_of(storage: RedisStorage, job_id: str) -> str:
    found = reads.job(storage, job_id)
    assert found is not None
    return found.cause


def test_a_note_counts_for_its_lease_alone(storage: RedisStorage) -> None:
    add(storage)
    (lease,) = claim(storage, runner="host-a")
    note = Held(lease.job_id, lease.fence, "host-a-1", MARKS, WORDS)
    for runner, wrong in (("host-b", note), ("host-a", note._replace(fence=lease.fence + 1))):
        assert storage.run(note_unkillable(runner, [wrong])) == 0
    assert cause_of(storage, lease.job_id) == ""
    assert storage.run(note_unkillable("host-a", [note])) == 1
    found = reads.job(storage, lease.job_id)
    assert found is not None
    assert (found.cause, WORDS in found.reason) == (UNKILLABLE, True)
    ((owner, held),) = reads.leases(storage)
    assert (owner, held.marks, held.words) == ("host-a", MARKS, WORDS)
    storage.run(recover(["host-a"]))
    (again,) = claim(storage, runner="host-b")
    assert again.job_id == lease.job_id
    assert cause_of(storage, lease.job_id) != UNKILLABLE
    ((_, held),) = reads.leases(storage)
    assert (held.marks, held.words) == ("", "")


def test_spared_jobs_keep_their_leases(storage: RedisStorage) -> None:
    for _ in range(3):
        add(storage)
    first, second, third = claim(storage, 3, runner="host-a")
    assert storage.run(recover(["host-a"], 0, [second.job_id])) == (-1, 2)
    assert storage.r.zrange(key(storage, "running"), 0, -1) == [second.job_id]
    assert {first.job_id, third.job_id} == set(storage.r.lrange(key(storage, "jobs"), 0, -1))
