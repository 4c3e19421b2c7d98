#!lua flags=no-writes,allow-stale
-- Finds the ids that match a prefix.
-- uses: keys ids
--
-- KEYS[1]   namespace
-- ARGV      prefix of at least 4 characters, how many ids at most
-- Reply     {id, ...}; only the id itself if the prefix is a whole id
local wanted = ARGV[1]
if redis.call('EXISTS', JOB .. wanted) == 1 then
  return { wanted }
end
local found = {}
for _, id in ipairs(redis.call('SMEMBERS', IDS .. string.sub(wanted, 1, 4))) do
  if string.sub(id, 1, #wanted) == wanted then
    found[#found + 1] = id
    if #found == tonumber(ARGV[2]) then
      break
    end
  end
end
return found
