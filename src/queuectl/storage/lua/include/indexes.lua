-- The sorted set that holds a job while it is in a state: always exactly one.
-- uses: keys
local NAMES = {
  pending = 'idx:pending',
  processing = 'running',
  failed = 'retry_queue',
  completed = 'idx:completed',
  dead = 'idx:dead',
  cancelled = 'idx:cancelled',
}

-- Names are built on demand: most scripts need two or three.
local INDEX = setmetatable({}, {
  __index = function(_, state)
    return NAMES[state] and prefix .. NAMES[state]
  end,
})
