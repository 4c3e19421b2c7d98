#!lua
-- Puts dead jobs back into the queue with all their retries.
-- uses: state dead_letter
--
-- KEYS[1]   namespace
-- ARGV      ids
-- Reply     for each id: 'retried', 'missing', or its state, which stays the same
local answers = {}
for i, id in ipairs(ARGV) do
  local job = read(id)
  if job.state == 'dead' then
    leave(job, 'pending')
    enter(job, stamp(now + i / 1000000), 'attempts', 0)
    unlist(id)
    answers[i] = 'retried'
  else
    answers[i] = job.state or 'missing'
  end
end
commit()
tidy_dead_letter()
return answers
