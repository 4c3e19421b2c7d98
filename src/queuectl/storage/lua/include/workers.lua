-- Records who is alive, and what each runner claimed last, over which of its connections.
-- uses: keys time messages
local WORKER = prefix .. 'worker:'
local WORKERS = prefix .. 'workers'
local CLAIMED = prefix .. 'claimed:'
local CLAIMED_SECONDS = 3600

-- Removes all keys of runners that are gone, but for what their leases hold.
local function forget(runners)
  for _, runner in ipairs(runners) do
    call('ZREM', RUNNERS, runner)
    call('DEL', CONTROL .. runner, CLAIMED .. runner)
  end
end

-- A runner's newest connection and what its last claim gave, as `claimed:<runner>` has them: 'number:id fence ...'.
-- `noted` is what it has now. The life begins with the first note, not anew with each: a new expiry would add a
-- twentieth to the cost of a claim.
local function note_claimed(runner, connection, given, noted)
  if noted then
    call('SET', CLAIMED .. runner, connection .. ':' .. given, 'KEEPTTL')
  else
    call('SET', CLAIMED .. runner, connection .. ':' .. given, 'EX', CLAIMED_SECONDS)
  end
end

-- Whether the runner has come back over a newer connection than this one.
local function outdated(connection, noted)
  return tonumber(connection) < (tonumber(string.match(noted or '', '^%d+')) or 0)
end
