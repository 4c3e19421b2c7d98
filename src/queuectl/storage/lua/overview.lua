#!lua flags=no-writes,allow-stale
-- Counts the jobs in each state, and names the workers that are alive.
-- uses: keys time indexes workers
--
-- KEYS[1]   namespace
-- ARGV      states
-- Reply     {{count for each state}, {worker, ...}, stop signal ('true' or ''), {id set aside, ...}}
local counts = {}
for i, state in ipairs(ARGV) do
  counts[i] = redis.call('ZCARD', INDEX[state])
end
return {
  counts,
  redis.call('ZRANGEBYSCORE', WORKERS, stamp(now), '+inf'),
  redis.call('GET', prefix .. 'stop_signal') or '',
  redis.call('LRANGE', prefix .. 'set_aside', 0, 99),
}
