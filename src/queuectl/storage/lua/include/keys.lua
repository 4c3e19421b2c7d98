-- Names of keys, and how a field is read. A key that one part alone uses is named there; storage/keys.py lists all.
-- KEYS[1] is the namespace: every key shares its hash slot.
local call, try = redis.call, redis.pcall
local prefix = KEYS[1] .. ':'
local QUEUE = prefix .. 'jobs'
local JOB = prefix .. 'jobs:'

-- A field of a job; nil when it has none, or when something that is not a hash sits in its place.
local function field(id, name)
  local value = try('HGET', JOB .. id, name)
  return type(value) == 'string' and value or nil
end
