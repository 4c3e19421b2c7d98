-- Which sorted set a job is in while it is in a state: in this one, and in no other.
-- uses: keys
local NAMES = {
  pending = 'idx:pending',
  processing = 'running',
  failed = 'retry_queue',
  completed = 'idx:completed',
  dead = 'idx:dead',
  cancelled = 'idx:cancelled',
}

-- Names are made when they are asked for: most scripts need two or three.
local INDEX = setmetatable({}, {
  __index = function(_, state)
    return NAMES[state] and prefix .. NAMES[state]
  end,
})
