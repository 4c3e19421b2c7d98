#!lua flags=allow-oom
-- Takes the stop signal back: workers that still finish their jobs go on.
-- uses: keys time lifecycle
--
-- KEYS[1]   namespace
-- Reply     1 if it was set, else 0
if redis.call('DEL', STOP_SIGNAL) == 0 then
  return 0
end
for _, runner in ipairs(redis.call('ZRANGEBYSCORE', RUNNERS, stamp(now), '+inf')) do
  tell(runner, 'resume')
end
return 1
