#!lua flags=allow-oom
-- Leases up to `want` pending jobs, oldest first, to a runner.
-- uses: keys time schema lifecycle due
--
-- KEYS[1]   namespace
-- ARGV      runner, host, lease in seconds, want, then the names of the fields to give back
-- Reply     {'ok' | 'stopped', seconds until something is due ('' for never), pending ids left,
--            {id, fence, field, field ...}, ...}
--           or {'newer', '', pending ids left, schema}: the records are of a later version, nothing was touched
local CLAIM_AT_ONCE = 1000  -- what Lua can unpack is limited
local STALE_AT_ONCE = 200
local runner, host, lease, want = ARGV[1], ARGV[2], tonumber(ARGV[3]), math.min(tonumber(ARGV[4]), CLAIM_AT_ONCE)

if newer() then
  return { 'newer', '', redis.call('LLEN', QUEUE), newer() }
end
promote_due()
reap_expired()
if redis.call('GET', STOP_SIGNAL) == 'true' then
  return { 'stopped', next_due(), redis.call('LLEN', QUEUE) }
end

local deadline = stamp(now + lease)
local claimed, leases, taken = {}, {}, {}
local looked = 0
while #claimed < want and looked < want + STALE_AT_ONCE do
  local ids = redis.call('RPOP', QUEUE, want - #claimed)
  if not ids then
    break
  end
  looked = looked + #ids
  for _, id in ipairs(ids) do
    local job = JOB .. id
    local fields = redis.pcall('HMGET', job, 'status', 'fence', unpack(ARGV, 5))
    local valid = not fields.err and fields[1] == 'pending' and #id >= 4 and #id <= 32
      and not string.find(id, '[^0-9a-f]')
    if valid then
      local fence = math.floor(tonumber(fields[2]) or 0) + 1
      if not (fence >= 1 and fence < 2 ^ 53) then
        fence = 1 -- damaged, not a number at all perhaps: no worker can hold such a lease
      end
      redis.call('HSET', job, 'status', 'processing', 'fence', fence, 'owner', runner, 'worker', runner,
        'host', host, 'started_at', stamp(now))
      table.remove(fields, 1)
      fields[1] = fence
      table.insert(fields, 1, id)
      claimed[#claimed + 1] = fields
      taken[#taken + 1] = id
      leases[#leases + 1] = deadline
      leases[#leases + 1] = id
    elseif fields.err or fields[1] == 'pending' or fields[1] and not INDEX[fields[1]] then
      -- Not a hash, no such state, or an id that no path may be made of: kept for a person to look at.
      redis.call('LPUSH', SET_ASIDE, id)
      redis.call('LTRIM', SET_ASIDE, 0, 999)
    end
  end
end
if #taken > 0 then
  redis.call('ZREM', INDEX.pending, unpack(taken))
  redis.call('ZADD', INDEX.processing, unpack(leases))
end

local left = redis.call('LLEN', QUEUE)
if left > 0 then
  wake()
end
return { 'ok', next_due(), left, unpack(claimed) }
