#!lua flags=allow-oom
-- Forgets a runner and its workers, once they hold no lease.
-- uses: keys
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
return 1
