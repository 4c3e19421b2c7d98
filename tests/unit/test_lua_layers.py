"""Only the state core writes to indexes and lists: a feature that needs another way in extends it."""

from __future__ import annotations

import re
from pathlib import Path

import queuectl

LUA = Path(queuectl.__file__).parent / "storage" / "lua"
WRITES = re.compile(
    r"call\('(?:ZADD|ZREM|ZPOP\w+|[LR]PUSH|[LR]POP|LREM|LTRIM|ZREMRANGE\w+)', (?:INDEX|QUEUE|DEAD_LETTER)"
)
ALLOWED = {
    "include/state.lua": "the state core",
    "include/stale.lua": "drops stale entries",
    "include/queue.lua": "takes the next jobs, for a claim to lease",
    "heartbeat.lua": "renews leases",
    "include/dead_letter.lua": "removes hints from the list of dead jobs",
    "prune.lua": "rotates that list",
    "fsck_jobs.lua": "repairs",
    "fsck_hints.lua": "repairs",
}


def test_only_the_state_core_writes_to_indexes_and_lists() -> None:
    writing = {
        str(path.relative_to(LUA)) for path in LUA.rglob("*.lua") if WRITES.search(path.read_text(encoding="utf-8"))
    }
    assert writing <= ALLOWED.keys()
    assert "include/state.lua" in writing, "the pattern finds what it is for"
