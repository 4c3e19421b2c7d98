#!lua
-- Adds jobs that share their options: all of them, or none.
-- uses: keys time schema lifecycle config
--
-- KEYS[1]   namespace
-- ARGV      environment variables, packed ('' for none): stored once for all jobs that have the same
--           n, then n values: field, default, field, default ... (built in; the config hash stands above)
--           n, then n values: field, value, field, value ... (given with the jobs; stands above both)
--           n, then n values: id, command, id, command ...
-- Reply     {'ok'} | {'exists', id} | {'newer', schema}
if newer() then
  return { 'newer', newer() }
end

local at = 2
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
if ARGV[1] ~= '' then
  fields['env'] = string.sub(redis.sha1hex(ARGV[1]), 1, 20)
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
-- All of them, or none: what a stranger may have put in the place of a key is found before the first job is written.
for key, kind in pairs({ [INDEX.pending] = 'zset', [WAKE] = 'list', [ENV .. (fields['env'] or '')] = 'hash' }) do
  local found = redis.call('TYPE', key).ok
  if found ~= 'none' and found ~= kind then
    return redis.error_reply('WRONGTYPE ' .. key .. ' is a ' .. found)
  end
end
redis.call('LPUSH', QUEUE, unpack(ids))

-- Takes back the first so many entries of the look-up sets, and of the jobs.
local function undo(listed, written)
  for i = 1, listed do
    redis.call('SREM', IDS .. string.sub(ids[i], 1, 4), ids[i])
  end
  for i = 1, written do
    redis.call('DEL', JOB .. ids[i])
  end
  redis.call('LPOP', QUEUE, #ids)
end

for i, id in ipairs(ids) do
  local added = redis.pcall('SADD', IDS .. string.sub(id, 1, 4), id)
  if added ~= 1 then
    undo(i - 1, 0)
    return added == 0 and { 'exists', id } or added
  end
end

-- What the jobs share is written once and copied: half the work of setting it all again for each of them, and
-- a third of what the append-only file takes.
local model = JOB .. ids[1]
local taken = redis.call('EXISTS', model) == 1 and 1 or nil
if not taken then
  redis.call('HSET', model, unpack(shared))
  for i = 2, #ids do
    if redis.call('COPY', model, JOB .. ids[i]) == 0 then
      taken = i
      break
    end
  end
end
if taken then
  undo(#ids, taken - 1)
  return { 'exists', ids[taken] }
end

local scores = {}
for i, id in ipairs(ids) do
  redis.call('HSET', JOB .. id, 'command', ARGV[first + 2 * i - 1])
  -- A microsecond apart, so that a list is in the order in which they were given.
  scores[2 * i - 1] = stamp(now + i / 1000000)
  scores[2 * i] = id
end
redis.call('ZADD', INDEX.pending, unpack(scores))
if redis.call('SET', SCHEMA, LAYOUT, 'NX') then
  redis.call('SET', ORIGIN, stamp(now))
end
if fields['env'] then
  redis.call('HSETNX', ENV .. fields['env'], 'variables', ARGV[1])
  redis.call('HINCRBY', ENV .. fields['env'], 'jobs', #ids)
end
wake()
return { 'ok' }
