#!lua flags=allow-oom
-- Notes that processes of running jobs can't be killed. A note counts for the lease under which it was made.
-- uses: keys
--
-- KEYS[1]   namespace
-- ARGV      runner, then for each lease 4 values: id, fence, processes, the same in words
-- Reply     number of jobs that have the note now
local noted = 0
for i = 2, #ARGV, 4 do
  local job = try('HMGET', JOB .. ARGV[i], 'status', 'fence', 'owner')
  if not job.err and job[1] == 'processing' and job[2] == ARGV[i + 1] and job[3] == ARGV[1] then
    call('HSET', JOB .. ARGV[i], 'unkillable', ARGV[i + 1] .. ' ' .. ARGV[i + 2] .. ' ' .. ARGV[i + 3])
    noted = noted + 1
  end
end
return noted
