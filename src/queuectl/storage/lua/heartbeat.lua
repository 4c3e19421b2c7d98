#!lua flags=allow-oom
-- Renews a runner's leases, and records that its workers are alive and what they do.
-- uses: time schema due clock workers
--
-- KEYS[1]   namespace
-- ARGV      runner, host, pid, lease in seconds, life of the records in seconds,
--           n, then n * 4 values: worker, status, job ('' for none), fence
--           then for each further lease 2 values: id, fence (claimed, not started yet)
-- Reply     {stop signal ('true' or ''), seconds until something is due ('' for never), pending ids left,
--            {id, fence ... of lost leases}, {id, fence ... of leases to cancel},
--            when the first job came ('' if none has)}
local GONE_AT_ONCE = 100
local BUSY, IDLE = 1 / 2, 3 / 4  -- of a lease: a runner with leases is heard after a third, others after two thirds
local runner, host, pid, lease, life = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local known = call('MGET', SCHEMA, prefix .. 'stop_signal', ORIGIN, PULSE)
local expiry = stamp(now + tonumber(life))
local lost, cancelled, alive = {}, {}, {}

local function renew(id, fence, worker)
  local job = try('HMGET', JOB .. id, 'status', 'fence', 'owner', 'cancel_requested')
  if job.err or job[1] ~= 'processing' or job[2] ~= fence or job[3] ~= runner then
    lost[#lost + 1] = id
    lost[#lost + 1] = fence
    return
  end
  call('ZADD', INDEX.processing, stamp(now + lease), id)
  if worker then
    call('HSET', JOB .. id, 'worker', worker)
  end
  if job[4] then
    cancelled[#cancelled + 1] = id
    cancelled[#cancelled + 1] = fence
  end
end

local workers = tonumber(ARGV[6])
local busy = #ARGV > 6 + workers * 4
for i = 9, 6 + workers * 4, 4 do
  busy = busy or ARGV[i] ~= ''
end
note_pulse(known[4], lease * (busy and BUSY or IDLE))
for i = 7, 6 + workers * 4, 4 do
  local worker, status, id, fence = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local key = WORKER .. worker
  if call('HSET', key, 'status', status, 'job', id, 'host', host, 'pid', pid, 'heartbeat', NOW) == 5 then
    call('HSET', key, 'started_at', NOW)
  end
  call('EXPIRE', key, life)
  alive[#alive + 1] = expiry
  alive[#alive + 1] = worker
  if id ~= '' then
    renew(id, fence, worker)
  end
end
for i = 7 + workers * 4, #ARGV, 2 do
  renew(ARGV[i], ARGV[i + 1])
end
if #alive > 0 then
  call('ZADD', WORKERS, unpack(alive))
end
call('ZADD', RUNNERS, expiry, runner)
call('EXPIRE', CLAIMED .. runner, CLAIMED_SECONDS)
call('ZREMRANGEBYSCORE', WORKERS, '-inf', NOW)
forget(call('ZRANGEBYSCORE', RUNNERS, '-inf', NOW, 'LIMIT', 0, GONE_AT_ONCE))

local retry, first_lease
if newer(known[1]) then
  retry, first_lease = first_due('failed'), first_due('processing')
else
  retry, first_lease = promote_due()  -- no silence: this runner has just been heard
end
if known[1] and not known[3] then
  call('SET', ORIGIN, NOW)  -- the queue is older than this key
  known[3] = NOW
end
local left = call('LLEN', QUEUE)
if left > 0 then
  wake()
end
return { known[2] or '', until_due(math.min(retry, first_lease)), left, lost, cancelled, known[3] or '' }
