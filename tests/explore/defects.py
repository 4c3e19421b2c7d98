"""Deliberate defects: each changes what one command does inside some scripts, as if it were wrong or missing.

A defect is a filter over `redis.call`, put before the real text of a script; so it works whatever that text is.
"""

from __future__ import annotations

from typing import NamedTuple

_FILTER = b"""
local function filter(call)
  return function(command, key, ...)
    if not key then
      return call(command)
    end
    local values = {...}
    %s
    return call(command, key, unpack(values))
  end
end
local redis = setmetatable({ call = filter(redis.call), pcall = filter(redis.pcall) }, { __index = redis })
"""


class Defect(NamedTuple):
    """What is wrong, the law that it breaks first, the scripts that have it (all if none is named), and its Lua.

    The Lua sees ``command``, ``key`` and ``values``, and `call`.
    """

    name: str
    law: str
    scripts: tuple[str, ...]
    lua: str

    def applied(self, script: str, text: bytes) -> bytes:
        """Return the text of a script with this defect."""
        if self.scripts and script not in self.scripts:
            return text
        shebang, _, body = text.partition(b"\n")
        return b"%s\n%s\n%s" % (shebang, _FILTER % self.lua.encode(), body)


_HIDE_CANCELLATION = """
    for i = 1, #values do
      if values[i] == 'cancel_requested' then
        values[i] = 'nothing'
      end
    end"""

FORGETS_CANCELLATION = Defect(
    "disown forgets a cancellation", "cancelled_never_starts", ("disown",), _HIDE_CANCELLATION
)

_ANY_FENCE = """
    if command == 'HMGET' or command == 'HGET' then
      local found = call(command, key, ...)
      for i = 1, #values do
        for j = 1, #ARGV - 1 do
          if values[i] == 'fence' and key == KEYS[1] .. 'jobs:' .. ARGV[j] then
            if command == 'HGET' then return ARGV[j + 1] end
            found[i] = ARGV[j + 1]
          end
        end
        if values[i] == 'owner' then
          found[i] = ARGV[1]
        end
      end
      return found
    end"""

_SAME_ATTEMPTS = """
    for i = 1, #values - 1 do
      if command == 'HSET' and values[i] == 'attempts' then
        values[i + 1] = values[i + 1] - 1
      end
    end"""

_SAME_FENCE = """
    for i = 1, #values - 1 do
      if command == 'HSET' and values[i] == 'fence' then
        values[i + 1] = 1
      end
    end"""

_TAKES_ANY_STATE = """
    if command == 'HMGET' and values[1] == 'status' and values[3] ~= 'owner' then
      local found = call(command, key, ...)
      found[1] = 'pending'
      return found
    end"""

_FORGETS_CONNECTION = """
    if key == KEYS[1] .. 'claimed:' .. ARGV[1] or values[2] == KEYS[1] .. 'claimed:' .. ARGV[1] then
      local found = call(command, key, ...)
      if command == 'GET' and found then found = '0' .. string.match(found, ':.*') end
      if command == 'MGET' then found[3] = false end
      return found
    end"""


_FORGETS_PULSE = """
    if command == 'MGET' then
      local found = call(command, key, ...)
      found[4] = false
      return found
    end"""


def _nothing(command: str, key: str = "", value: str = "") -> str:
    """Return Lua that skips a command, on keys that contain this text, with this first value."""
    return f"""
    local meant = command == '{command}' and string.find(key, '{key}', 1, true)
    if meant and ('{value}' == '' or values[1] == '{value}') then
      return 1
    end"""


DEFECTS = [
    FORGETS_CANCELLATION,
    Defect("a result is taken under any fence", "newest_only", ("finish",), _ANY_FENCE),
    Defect("a heartbeat renews under any fence", "renewals", ("heartbeat",), _ANY_FENCE),
    Defect("a claim does not raise the fence", "fences_rise", ("claim",), _SAME_FENCE),
    Defect("a claim takes what is not pending", "one_index", ("claim",), _TAKES_ANY_STATE),
    Defect("a finished job stays among those that run", "one_index", ("finish",), _nothing("ZREM", ":running")),
    Defect("a cancelled job stays in its index", "one_index", ("cancel",), _nothing("ZREM")),
    Defect(
        "a lost lease counts no crash",
        "crashes_count_deaths",
        ("claim", "heartbeat"),
        _nothing("HINCRBY", ":jobs:", "crashes"),
    ),
    Defect(
        "a dead worker counts no crash",
        "crashes_count_deaths",
        ("recover",),
        _nothing("HINCRBY", ":jobs:", "crashes"),
    ),
    Defect(
        "a result counts no attempt",
        "attempts_count_results",
        ("finish",),
        _SAME_ATTEMPTS,
    ),
    Defect("a lost lease forgets a cancellation", "cancelled_never_starts", ("claim",), _HIDE_CANCELLATION),
    Defect("a result forgets a cancellation", "cancelled_never_starts", ("finish",), _HIDE_CANCELLATION),
    Defect("a heartbeat does not renew", "crashes_count_deaths", ("heartbeat",), _nothing("ZADD", ":running")),
    Defect("a retry does not wake anybody", "work_is_heard_of", ("heartbeat",), _nothing("RPUSH", ":wake:")),
    Defect("a runner that leaves wakes nobody", "work_is_heard_of", ("retire",), _nothing("RPUSH", ":wake:")),
    Defect("a claim does not note what it gave", "disowning", ("claim",), _nothing("SET", ":claimed:")),
    Defect("a disown does not note its connection", "claims", ("disown",), _nothing("SET", ":claimed:")),
    Defect("a claim is taken over any connection", "claims", ("claim",), _FORGETS_CONNECTION),
    Defect("a disown is taken over any connection", "disowning", ("disown",), _FORGETS_CONNECTION),
    Defect("a claim ends leases after the clock has jumped", "crashes_count_deaths", ("claim",), _FORGETS_PULSE),
    Defect(
        "a heartbeat ends leases after the clock has jumped", "crashes_count_deaths", ("heartbeat",), _FORGETS_PULSE
    ),
    Defect("what is disowned wakes nobody", "work_is_heard_of", ("disown",), _nothing("RPUSH", ":wake:")),
    Defect("what is disowned is in no list", "hints", ("disown",), _nothing("RPUSH", ":jobs")),
    Defect("a dead job is in no list", "hints", (), _nothing("LPUSH", ":dead_letter")),
    Defect(
        "a retry leaves the job in the dead letter list",
        "dead_letters",
        ("dlq_retry",),
        _nothing("LREM", ":dead_letter"),
    ),
    Defect(
        "a retry keeps the time of the next one",
        "fields_of_the_state",
        ("claim", "heartbeat"),
        _nothing("HDEL", ":jobs:", "next_retry_at"),
    ),
    Defect("a removed job can be looked up", "what_jobs_share", (), _nothing("SREM", ":ids:")),
    Defect(
        "leases never end",
        "crashes_count_deaths",
        (),
        "if command == 'ZRANGEBYSCORE' and string.find(key, ':running', 1, true) then return {} end",
    ),
    Defect(
        "pauses never end",
        "due_is_done",
        (),
        "if command == 'ZRANGEBYSCORE' and string.find(key, ':retry_queue', 1, true) then return {} end",
    ),
    Defect("the workers can not be resumed", "the_end", ("resume",), _nothing("DEL", ":stop_signal")),
    Defect("a runner is not told of a cancellation", "cancel_tells", ("cancel",), _nothing("RPUSH", ":control:")),
]
