-- Names of all keys that scripts touch; storage/keys.py says what each is and how long it lives.
-- KEYS[1] is the namespace: every key shares its hash slot.
local prefix = KEYS[1]
local QUEUE = prefix .. ':jobs'
local JOB = prefix .. ':jobs:'
local CONFIG = prefix .. ':config'
local DEAD_LETTER = prefix .. ':dead_letter'
local STOP_SIGNAL = prefix .. ':stop_signal'
local WORKER = prefix .. ':worker:'
local WORKERS = prefix .. ':workers'
local RUNNERS = prefix .. ':runners'
local CONTROL = prefix .. ':control:'
local WAKE = prefix .. ':wake:default'
local IDS = prefix .. ':ids:'
local ENV = prefix .. ':env:'
local DONE = prefix .. ':done:'
local SET_ASIDE = prefix .. ':set_aside'
local SCHEMA = prefix .. ':schema'
local ORIGIN = prefix .. ':origin'

-- A job is in the index of its state, and in no other.
local INDEX = {
  pending = prefix .. ':idx:pending',
  processing = prefix .. ':running',
  failed = prefix .. ':retry_queue',
  completed = prefix .. ':idx:completed',
  dead = prefix .. ':idx:dead',
  cancelled = prefix .. ':idx:cancelled',
}

-- A field of a job; nil when it has none, or when something that is not a hash sits in its place.
local function field(id, name)
  local value = redis.pcall('HGET', JOB .. id, name)
  return type(value) == 'string' and value or nil
end
