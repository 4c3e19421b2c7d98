#!lua flags=allow-oom
-- Removes jobs that are in one given final state.
-- uses: delete dead_letter
--
-- KEYS[1]   namespace
-- ARGV      state, then ids
-- Reply     {ids that were removed}
local state = ARGV[1]
local removed = {}
for i = 2, #ARGV do
  local id = ARGV[i]
  if field(id, 'status') == state then
    delete(id, state)
    if state == 'dead' then
      unlist(id)
    end
    removed[#removed + 1] = id
  end
end
tidy_dead_letter()
return removed
