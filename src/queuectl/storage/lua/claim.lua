#!lua flags=allow-oom
-- Leases up to `want` pending jobs, oldest first, to a runner. Nothing over a connection that it has given up: nobody
-- would hear of it.
-- uses: keys time schema state due clock workers queue
--
-- KEYS[1]   namespace
-- ARGV      runner, number of its connection, lease in seconds, want, then the names of the fields to give back
-- Reply     {'ok' | 'stopped', seconds until something is due ('' for never), pending ids left,
--            {id, fence, field, field ...}, ...}
--           or {'newer', '', pending ids left, schema}: the records are of a later version, nothing was touched
local CLAIM_AT_ONCE = 1000  -- what Lua can unpack is limited
local STALE_AT_ONCE = 200
local SET_ASIDE = prefix .. 'set_aside'
local runner, connection, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
local want = math.min(tonumber(ARGV[4]), CLAIM_AT_ONCE)
local deadline = stamp(now + lease)

local known = call('MGET', SCHEMA, prefix .. 'stop_signal', CLAIMED .. runner, PULSE)
if newer(known[1]) then
  return { 'newer', '', call('LLEN', QUEUE), known[1] }
end
local retry, first_lease = promote_due(known[4])
if known[2] == 'true' then
  return { 'stopped', until_due(math.min(retry, first_lease)), call('LLEN', QUEUE) }
end
if outdated(connection, known[3]) then
  want = 0
end

-- One job: its fields for the runner, or nil if it can't be run.
local function claimed(id)
  local fields = try('HMGET', JOB .. id, 'status', 'fence', unpack(ARGV, 5))
  local valid = not fields.err and fields[1] == 'pending' and #id >= 4 and #id <= 32
    and not string.find(id, '[^0-9a-f]')
  if not valid then
    if fields.err or fields[1] == 'pending' or fields[1] and not NAMES[fields[1]] then
      -- Not a hash, no such state, or an id that no path may be made of: kept for a person to check.
      call('LPUSH', SET_ASIDE, id)
      call('LTRIM', SET_ASIDE, 0, 999)
    end
    return nil
  end
  local fence = math.floor(tonumber(fields[2]) or 0) + 1
  if not (fence >= 1 and fence < 2 ^ 53) then
    fence = 1 -- damaged, not a number at all perhaps: no worker can hold such a lease
  end
  local job = { id = id, state = 'pending' }
  leave(job, 'processing')
  enter(job, deadline, 'fence', fence, 'owner', runner, 'started_at', NOW)
  fields[1], fields[2] = id, fence
  return fields
end

local reply, given = { 'ok', '', 0 }, {}
local read_ids, left = 0, nil
while #given < 2 * want and read_ids < want + STALE_AT_ONCE do
  local asked = want - #given / 2
  local ids = take(asked)
  read_ids = read_ids + #ids
  for _, id in ipairs(ids) do
    local fields = claimed(id)
    if fields then
      reply[#reply + 1] = fields
      given[#given + 1] = id
      given[#given + 1] = fields[2]
    end
  end
  if #ids < asked then
    left = 0
    break
  end
end
commit(true)
if #given > 0 then
  first_lease = math.min(first_lease, now + lease)
  -- Should the answer be lost, `disown` finds here what it gave.
  note_claimed(runner, connection, table.concat(given, ' '), known[3])
end
reply[3] = left or call('LLEN', QUEUE)
if reply[3] > 0 then
  wake()
end
reply[2] = until_due(math.min(retry, first_lease))
return reply
