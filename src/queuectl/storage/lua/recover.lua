#!lua flags=allow-oom
-- Frees the leases of runners known to be dead, without waiting for them to expire; not those of spared jobs.
-- uses: state crash
--
-- KEYS[1]   namespace
-- ARGV      how many leases to skip, how many to check, n, then n ids to spare, then the names of the dead runners
-- Reply     {how many to skip next time, or -1 at the end, how many were freed}
local dead, spared = {}, {}
local spare = tonumber(ARGV[3])
for i = 4, 3 + spare do
  spared[ARGV[i]] = true
end
for i = 4 + spare, #ARGV do
  dead[ARGV[i]] = true
end
local skip, count = tonumber(ARGV[1]), tonumber(ARGV[2])
local ids = call('ZRANGE', INDEX.processing, skip, skip + count - 1)
local freed = 0
for _, id in ipairs(ids) do
  local job = spared[id] and {} or read(id)
  if job.state == 'processing' and dead[job.owner] then
    crashed(job)
    freed = freed + 1
  end
end
commit()
return { #ids < count and -1 or skip + #ids - freed, freed }
