-- The server's clock, in seconds. Scores and fields use no other clock.
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000

-- Returns a time as text: Lua's own conversion keeps only 14 digits.
local function stamp(seconds)
  return string.format('%.6f', seconds)
end
local NOW = stamp(now)
