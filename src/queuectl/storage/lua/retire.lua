#!lua flags=allow-oom
-- Forgets a runner and its workers, once they hold no lease.
-- uses: workers wake indexes
--
-- KEYS[1]   namespace
-- ARGV      runner, then its workers
-- Reply     1
for i = 2, #ARGV do
  call('DEL', WORKER .. ARGV[i])
  call('ZREM', WORKERS, ARGV[i])
end
forget({ ARGV[1] })
-- It may have taken the token, or been the only runner that knew when something is due.
if call('ZCARD', INDEX.failed) + call('ZCARD', INDEX.pending) > 0 then
  wake()
end
return 1
