-- The list of dead jobs: hints for people who read it.
-- uses: keys indexes state
local REACH = 1000

-- Removes an id if it is near either end: a search walks the list, so we don't search the middle of a long one. There
-- `prune` drops the id in time.
local function unlist(id)
  if call('LPOS', DEAD_LETTER, id, 'MAXLEN', REACH) then
    call('LREM', DEAD_LETTER, 1, id)
  elseif call('LPOS', DEAD_LETTER, id, 'RANK', -1, 'MAXLEN', REACH) then
    call('LREM', DEAD_LETTER, -1, id)
  end
end

-- If no job is dead, every id left is stale.
local function tidy_dead_letter()
  if call('ZCARD', INDEX.dead) == 0 then
    call('UNLINK', DEAD_LETTER)
  end
end
