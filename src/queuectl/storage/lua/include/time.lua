-- The server's clock, in seconds; the only clock that any score or field is taken from.
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000

-- A time as text: Lua's own conversion keeps only 14 digits.
local function stamp(seconds)
  return string.format('%.6f', seconds)
end
local NOW = stamp(now)
