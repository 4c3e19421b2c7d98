#!lua flags=allow-oom
-- Puts back the jobs of a runner's last claim that it does not know of: the answer was lost with a connection. From
-- then on nothing that it sent over an older connection gives it a job or takes one from it, however late it comes.
-- uses: state workers
--
-- KEYS[1]   namespace
-- ARGV      runner, number of its connection, then id, fence of each lease that it knows
-- Reply     how many were put back, or cancelled if that was asked for meanwhile
local runner, connection = ARGV[1], ARGV[2]
local noted = call('GET', CLAIMED .. runner)
if outdated(connection, noted) then
  return 0
end
local known = {}
for i = 3, #ARGV, 2 do
  known[ARGV[i] .. ' ' .. ARGV[i + 1]] = true  -- an outdated lease of the same job may be among them
end
-- From the last: each goes to the end that is taken next, so their order stays.
local lost = {}
for id, fence in string.gmatch(noted or '', '(%x+) (%d+)') do
  if not known[id .. ' ' .. fence] then
    local job = read(id)
    if job.state == 'processing' and job.fence == fence and job.owner == runner then
      table.insert(lost, 1, job)
    end
  end
end
for _, job in ipairs(lost) do
  hand_back(job)
end
commit()
note_claimed(runner, connection, '', noted)
return #lost
