#!lua flags=allow-oom
-- Tells all workers to finish what they run and to end.
-- uses: keys time lifecycle
--
-- KEYS[1]   namespace
-- Reply     number of workers that were told
redis.call('SET', STOP_SIGNAL, 'true')
for _, runner in ipairs(redis.call('ZRANGEBYSCORE', RUNNERS, stamp(now), '+inf')) do
  tell(runner, 'stop')
end
return redis.call('ZCOUNT', WORKERS, stamp(now), '+inf')
