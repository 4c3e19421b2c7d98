#!lua flags=allow-oom
-- Removes jobs that are in one given final state.
-- uses: keys delete
--
-- KEYS[1]   namespace
-- ARGV      state, then ids
-- Reply     {ids that were removed}
local SHORT_LIST = 1000
local state = ARGV[1]
local removed = {}
for i = 2, #ARGV do
  local id = ARGV[i]
  if field(id, 'status') == state then
    delete(id, state)
    if state == 'dead' and redis.call('LLEN', DEAD_LETTER) <= SHORT_LIST then
      redis.call('LREM', DEAD_LETTER, 0, id)
    end
    removed[#removed + 1] = id
  end
end
if redis.call('ZCARD', INDEX.dead) == 0 then
  redis.call('UNLINK', DEAD_LETTER)
end
return removed
