-- The list of dead jobs: hints for people who read it.
-- uses: keys indexes state
local REACH = 1000

-- Takes an id out. It is searched near both ends only, since a search walks the list; from the middle of a long
-- list it isn't taken, and `prune` drops it in time.
local function unlist(id)
  if call('LPOS', DEAD_LETTER, id, 'MAXLEN', REACH) then
    call('LREM', DEAD_LETTER, 1, id)
  elseif call('LPOS', DEAD_LETTER, id, 'RANK', -1, 'MAXLEN', REACH) then
    call('LREM', DEAD_LETTER, -1, id)
  end
end

-- When no job is dead, every id that is left is stale.
local function tidy_dead_letter()
  if call('ZCARD', INDEX.dead) == 0 then
    call('UNLINK', DEAD_LETTER)
  end
end
