#!lua
-- Puts dead jobs back into their queue with all their retries.
-- uses: keys time lifecycle
--
-- KEYS[1]   namespace
-- ARGV      ids
-- Reply     for each id: 'pending', 'missing', or the state it is in and stays in
local SHORT_LIST = 1000
local answers = {}
for i, id in ipairs(ARGV) do
  local job = JOB .. id
  local status = field(id, 'status')
  if status == 'dead' then
    redis.call('HSET', job, 'attempts', 0)
    redis.call('HDEL', job, 'crashes', 'exit_code', 'reason', 'started_at', 'finished_at', 'worker', 'owner', 'host',
      'cancel_requested')
    make_pending(id, 'dead', now + i / 1000000, false)
    -- LREM walks the list: in a long one the id stays as a stale hint, which `prune` removes in time.
    if redis.call('LLEN', DEAD_LETTER) <= SHORT_LIST then
      redis.call('LREM', DEAD_LETTER, 0, id)
    end
    answers[i] = 'pending'
  else
    answers[i] = status or 'missing'
  end
end
wake()
return answers
