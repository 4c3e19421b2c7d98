#!lua flags=allow-oom
-- Renews a runner's leases, and says that its workers are alive and what they do.
-- uses: keys time schema lifecycle due
--
-- KEYS[1]   namespace
-- ARGV      runner, host, pid, lease in seconds, life of the records in seconds,
--           n, then n * 4 values: worker, status, job ('' for none), fence
--           then for each further lease 2 values: id, fence (claimed, not started yet)
-- Reply     {stop signal ('true' or ''), seconds until something is due ('' for never), pending ids left,
--            {id, fence ... of leases that were lost}, {id, fence ... of those to be cancelled},
--            when the first job came ('' if none has)}
local runner, host, pid, lease, life = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local expiry = stamp(now + tonumber(life))
local lost, cancelled, alive = {}, {}, {}

local function renew(id, fence, worker)
  local job = redis.pcall('HMGET', JOB .. id, 'status', 'fence', 'cancel_requested')
  if job.err or job[1] ~= 'processing' or job[2] ~= fence then
    lost[#lost + 1] = id
    lost[#lost + 1] = fence
    return
  end
  redis.call('ZADD', INDEX.processing, stamp(now + lease), id)
  if worker then
    redis.call('HSET', JOB .. id, 'worker', worker)
  end
  if job[3] then
    cancelled[#cancelled + 1] = id
    cancelled[#cancelled + 1] = fence
  end
end

local workers = tonumber(ARGV[6])
for i = 7, 6 + workers * 4, 4 do
  local worker, status, id, fence = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local key = WORKER .. worker
  if redis.call('HSET', key, 'status', status, 'job', id, 'host', host, 'pid', pid, 'heartbeat', stamp(now)) == 5 then
    redis.call('HSET', key, 'started_at', stamp(now))
  end
  redis.call('EXPIRE', key, life)
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
  redis.call('ZADD', WORKERS, unpack(alive))
end
redis.call('ZADD', RUNNERS, expiry, runner)
redis.call('ZREMRANGEBYSCORE', WORKERS, '-inf', stamp(now))
redis.call('ZREMRANGEBYSCORE', RUNNERS, '-inf', stamp(now))

if not newer() then
  promote_due()
  reap_expired()
end
if redis.call('EXISTS', SCHEMA) == 1 then
  redis.call('SET', ORIGIN, stamp(now), 'NX')  -- of a queue that was begun before there was such a key
end
local left = redis.call('LLEN', QUEUE)
if left > 0 then
  wake()
end
return { redis.call('GET', STOP_SIGNAL) or '', next_due(), left, lost, cancelled, redis.call('GET', ORIGIN) or '' }
