#!lua
-- Adds jobs that share their options: all of them, or none.
-- uses: keys time lifecycle
--
-- KEYS[1]   namespace
-- ARGV      schema
--           environment variables, packed ('' for none): stored once for all jobs that have the same
--           n, then n values: field, default, field, default ... (built in; the config hash stands above)
--           n, then n values: field, value, field, value ... (given with the jobs; stands above both)
--           n, then n values: id, command, id, command ...
-- Reply     {'ok'} | {'exists', id} | {'newer', schema}
local schema = redis.call('GET', SCHEMA)
if schema and tonumber(schema) > tonumber(ARGV[1]) then
  return { 'newer', schema }
end

local at = 3
local function section()
  local first, last = at + 1, at + tonumber(ARGV[at])
  at = last + 1
  return first, last
end

local fields = {}
local first, last = section()
for i = first, last, 2 do
  local set = redis.call('HGET', CONFIG, ARGV[i])
  fields[ARGV[i]] = set and tonumber(set) and tonumber(set) >= 0 and set or ARGV[i + 1]
end
first, last = section()
for i = first, last, 2 do
  fields[ARGV[i]] = ARGV[i + 1]
end
first, last = section()
for i = first, last, 2 do
  if redis.call('EXISTS', JOB .. ARGV[i]) == 1 then
    return { 'exists', ARGV[i] }
  end
end

local jobs = (last - first + 1) / 2
if not schema then
  redis.call('SET', SCHEMA, ARGV[1])
end
if ARGV[2] ~= '' then
  local digest = string.sub(redis.sha1hex(ARGV[2]), 1, 20)
  redis.call('HSETNX', ENV .. digest, 'variables', ARGV[2])
  redis.call('HINCRBY', ENV .. digest, 'jobs', jobs)
  fields['env'] = digest
end
fields['status'] = 'pending'
fields['attempts'] = '0'
fields['created_at'] = stamp(now)
local shared = {}
for field, value in pairs(fields) do
  shared[#shared + 1] = field
  shared[#shared + 1] = value
end

local ids, scores = {}, {}
for i = first, last, 2 do
  local id = ARGV[i]
  redis.call('HSET', JOB .. id, 'command', ARGV[i + 1], unpack(shared))
  redis.call('SADD', IDS .. string.sub(id, 1, 4), id)
  ids[#ids + 1] = id
  -- A microsecond apart, so that a list is in the order in which they were given.
  scores[#scores + 1] = stamp(now + #ids / 1000000)
  scores[#scores + 1] = id
end
redis.call('ZADD', INDEX.pending, unpack(scores))
redis.call('LPUSH', QUEUE, unpack(ids))
wake()
return { 'ok' }
