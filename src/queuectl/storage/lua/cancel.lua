#!lua flags=allow-oom
-- Cancels waiting jobs; tells the worker of a running one to kill it.
-- uses: state messages
--
-- KEYS[1]   namespace
-- ARGV      ids
-- Reply     for each id: 'cancelled', 'requested' (its worker was told), 'missing', or the job's final state
local WAITING = { pending = true, failed = true }
local answers = {}
for i, id in ipairs(ARGV) do
  local job = read(id)
  if WAITING[job.state] then
    leave(job, 'cancelled')
    conclude(job, 'cancelled')
    answers[i] = 'cancelled'
  elseif job.state == 'processing' then
    call('HSET', JOB .. id, 'cancel_requested', '1')
    tell(job.owner or '', 'cancel ' .. id .. ' ' .. (job.fence or ''))
    answers[i] = 'requested'
  else
    answers[i] = job.state or 'missing'
  end
end
commit()
return answers
