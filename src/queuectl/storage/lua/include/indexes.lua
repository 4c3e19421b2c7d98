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

-- States in which a job waits, without a worker.
local WAITING = { pending = true, failed = true }

-- Names are built on demand: most scripts need two or three.
local INDEX = setmetatable({}, {
  __index = function(_, state)
    return NAMES[state] and prefix .. NAMES[state]
  end,
})

-- Removes an entry of a job that is in another state, or gone.
local function drop(id, state)
  call('ZREM', INDEX[state], id)
end
