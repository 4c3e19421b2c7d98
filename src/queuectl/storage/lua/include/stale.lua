-- Entries of jobs that are in another state, or gone.
-- uses: keys indexes
local function drop(id, state)
  call('ZREM', INDEX[state], id)
end
