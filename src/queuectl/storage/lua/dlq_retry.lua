#!lua
-- Puts dead jobs back into their queue with all their retries.
-- uses: keys time lifecycle dead_letter
--
-- KEYS[1]   namespace
-- ARGV      ids
-- Reply     for each id: 'retried', 'missing', or the state it is in and stays in
local answers = {}
for i, id in ipairs(ARGV) do
  local job = JOB .. id
  local status = field(id, 'status')
  if status == 'dead' then
    redis.call('HSET', job, 'attempts', 0)
    redis.call('HDEL', job, 'crashes', 'exit_code', 'reason', 'started_at', 'finished_at', 'worker', 'owner', 'host',
      'cancel_requested')
    make_pending(id, 'dead', now + i / 1000000, false)
    unlist(id)
    answers[i] = 'retried'
  else
    answers[i] = status or 'missing'
  end
end
tidy_dead_letter()
wake()
return answers
