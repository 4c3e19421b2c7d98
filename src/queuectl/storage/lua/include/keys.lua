-- Names of keys, and how to read a field. A key that only one part uses is named there; storage/keys.py lists all.
-- KEYS[1] is the prefix of every key, the namespace with its colon, so they all share a hash slot. No key has this name,
-- but a user who may use `queuectl:*` may name it.
local call, try = redis.call, redis.pcall
local prefix = KEYS[1]
local QUEUE = prefix .. 'jobs'
local JOB = prefix .. 'jobs:'

-- Returns a field of a job; nil if it has none, or if something that is not a hash is in its place.
local function field(id, name)
  local value = try('HGET', JOB .. id, name)
  return type(value) == 'string' and value or nil
end
