#!lua flags=allow-oom
-- Cancels jobs that wait; asks the worker of one that runs to end it.
-- uses: keys time lifecycle
--
-- KEYS[1]   namespace
-- ARGV      reason, then ids
-- Reply     for each id: 'cancelled', 'requested' (its worker was told), 'missing', or the final state it is in
local answers = {}
for i = 2, #ARGV do
  local id = ARGV[i]
  local status = field(id, 'status')
  if status == 'pending' or status == 'failed' then
    redis.call('HDEL', JOB .. id, 'next_retry_at')
    make_final(id, status, 'cancelled', ARGV[1])
    answers[#answers + 1] = 'cancelled'
  elseif status == 'processing' then
    redis.call('HSET', JOB .. id, 'cancel_requested', '1')
    tell(field(id, 'owner') or '', 'cancel ' .. id .. ' ' .. (field(id, 'fence') or ''))
    answers[#answers + 1] = 'requested'
  else
    answers[#answers + 1] = status or 'missing'
  end
end
return answers
