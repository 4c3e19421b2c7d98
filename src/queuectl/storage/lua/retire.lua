#!lua flags=allow-oom
-- Forgets a runner and its workers, once they hold no lease.
-- uses: keys time lifecycle
--
-- KEYS[1]   namespace
-- ARGV      runner, then its workers
-- Reply     1
for i = 2, #ARGV do
  redis.call('DEL', WORKER .. ARGV[i])
  redis.call('ZREM', WORKERS, ARGV[i])
end
redis.call('ZREM', RUNNERS, ARGV[1])
redis.call('DEL', CONTROL .. ARGV[1])
-- It may have been the only one that knew when something is due.
if redis.call('ZCARD', INDEX.failed) + redis.call('ZCARD', INDEX.pending) > 0 then
  wake()
end
return 1
