#!lua
-- Adds jobs that share their options: all of them, or none.
-- uses: keys time lifecycle config
--
-- KEYS[1]   namespace
-- ARGV      schema
--           environment variables, packed ('' for none): stored once for all jobs that have the same
--           n, then n values: field, default, field, default ... (built in; the config hash stands above)
--           n, then n values: field, value, field, value ... (given with the jobs; stands above both)
--           n, then n values: id, command, id, command ...
-- Reply     {'ok'} | {'exists', id} | {'newer', schema}
local schema = redis.call('GET', SCHEMA)
if schema and not ((tonumber(schema) or math.huge) <= tonumber(ARGV[1])) then
  return { 'newer', schema }
end

local at = 3
local function section()
  local first, last = at + 1, math.min(at + tonumber(ARGV[at]), #ARGV)  -- a wrong count must not loop for ever
  at = last + 1
  return first, last
end

local fields = {}
local first, last = section()
local names = {}
for i = first, last, 2 do
  names[#names + 1] = ARGV[i]
end
for i, value in ipairs(#names > 0 and redis.call('HMGET', CONFIG, unpack(names)) or {}) do
  fields[names[i]] = setting(names[i], value) or ARGV[first + 2 * i - 1]
end
first, last = section()
for i = first, last, 2 do
  fields[ARGV[i]] = ARGV[i + 1]
end
fields['status'] = 'pending'
fields['attempts'] = '0'
fields['created_at'] = stamp(now)
if ARGV[2] ~= '' then
  fields['env'] = string.sub(redis.sha1hex(ARGV[2]), 1, 20)
end
local shared = {}
for field, value in pairs(fields) do
  shared[#shared + 1] = field
  shared[#shared + 1] = value
end

first, last = section()
local ids = {}
for i = first, last, 2 do
  ids[#ids + 1] = ARGV[i]
end
-- Before anything else is written: this fails when somebody put another type in the list's place.
redis.call('LPUSH', QUEUE, unpack(ids))

-- What the jobs share is written once and copied: half the work of setting it all again for each of them, and
-- a third of what the append-only file takes. An id that is taken shows before it is written; then all is undone.
local model, taken = JOB .. ids[1], nil
if redis.call('EXISTS', model) == 1 then
  taken = 1
else
  redis.call('HSET', model, unpack(shared))
end
for i = 2, taken and 0 or #ids do
  if redis.call('COPY', model, JOB .. ids[i]) == 0 then
    taken = i
    break
  end
end
if taken then
  for i = 1, taken - 1 do
    redis.call('DEL', JOB .. ids[i])
  end
  redis.call('LPOP', QUEUE, #ids)
  return { 'exists', ids[taken] }
end

local scores = {}
for i, id in ipairs(ids) do
  redis.call('HSET', JOB .. id, 'command', ARGV[first + 2 * i - 1])
  redis.call('SADD', IDS .. string.sub(id, 1, 4), id)
  -- A microsecond apart, so that a list is in the order in which they were given.
  scores[2 * i - 1] = stamp(now + i / 1000000)
  scores[2 * i] = id
end
redis.call('ZADD', INDEX.pending, unpack(scores))
if not schema then
  redis.call('SET', SCHEMA, ARGV[1])
  redis.call('SET', ORIGIN, stamp(now))
end
if fields['env'] then
  redis.call('HSETNX', ENV .. fields['env'], 'variables', ARGV[2])
  redis.call('HINCRBY', ENV .. fields['env'], 'jobs', #ids)
end
wake()
return { 'ok' }
