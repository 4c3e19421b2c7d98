#!lua flags=allow-oom
-- Puts back the jobs of a runner's last claim that it does not know of: the answer was lost with a connection.
-- uses: state workers
--
-- KEYS[1]   namespace
-- ARGV      runner, then id, fence of each lease that it knows
-- Reply     how many were put back, or cancelled if that was asked for meanwhile
local runner = ARGV[1]
local known = {}
for i = 2, #ARGV, 2 do
  known[ARGV[i] .. ' ' .. ARGV[i + 1]] = true  -- an outdated lease of the same job may be among them
end
-- From the last: each goes to the end that is taken next, so their order stays.
local lost = {}
for id, fence in string.gmatch(call('GET', CLAIMED .. runner) or '', '(%x+) (%d+)') do
  if not known[id .. ' ' .. fence] then
    local job = read(id)
    if job.state == 'processing' and job.fence == fence then
      table.insert(lost, 1, job)
    end
  end
end
for _, job in ipairs(lost) do
  hand_back(job)
end
commit()
return #lost
