#!lua
-- Adds jobs: all or none.
-- uses: schema state config ids environment
--
-- KEYS[1]   namespace
-- ARGV      environment variables, packed ('' for none): stored once for all jobs with the same ones
--           rules of settings (see config), and names of those that share the field `limits` (see options/packing.py)
--           n, then n values: field, default ... (the queue's own settings override these)
--           n, then n values: field, value ... shared by all jobs (override both)
--           then for each job: id, command, n, then n values: field, value ... of its own (override all)
-- Reply     {'ok'} | {'exists', id} | {'newer', schema}
local schema = call('GET', SCHEMA)
if newer(schema) then
  return { 'newer', schema }
end

-- Read and check everything before writing anything: other software may have put something else in the place of a key,
-- which is an error.
local at = 4
local function section()
  local first, last = at + 1, math.min(at + tonumber(ARGV[at]), #ARGV)  -- a wrong count must not loop without end
  at = last + 1
  return first <= last and { unpack(ARGV, first, last) } or {}
end

local function escaped(character)
  return string.format('%%%02X', string.byte(character))
end

local defaults, own_settings, packed = section(), settings(ARGV[2]), {}
for name in string.gmatch(next(own_settings) and ARGV[3] or '', '%S+') do
  if own_settings[name] then
    packed[#packed + 1] = name .. '=' .. string.gsub(own_settings[name], '[%s%%]', escaped)
    own_settings[name] = nil
  end
end
packed = table.concat(packed, ' ')

-- Puts the queue's own values before the given ones in the field that they share: the last one of a name counts.
local function completed(fields)
  for i = 1, #fields - 1, 2 do
    if fields[i] == 'limits' and packed ~= '' then
      fields[i + 1] = packed .. ' ' .. fields[i + 1]
    end
  end
  return fields
end

local given = completed(section())
local ids, keys, commands, own, seen = {}, {}, {}, {}, {}
while at <= #ARGV do
  local id = ARGV[at]
  if seen[id] then
    return { 'exists', id }
  end
  seen[id] = true
  ids[#ids + 1] = id
  keys[#ids] = JOB .. id
  commands[#ids] = ARGV[at + 1]
  at = at + 2
  if ARGV[at] == '0' then
    at = at + 1
  else
    own[#ids] = completed(section())
  end
end
if call('EXISTS', unpack(keys)) > 0 then
  for i, key in ipairs(keys) do
    if call('EXISTS', key) == 1 then
      return { 'exists', ids[i] }
    end
  end
end
local env = ARGV[1] ~= '' and string.sub(redis.sha1hex(ARGV[1]), 1, 20) or nil
local stored = env and call('HEXISTS', ENV .. env, 'variables')
for _, command in ipairs({ { 'LLEN', QUEUE }, { 'ZCARD', INDEX.pending }, { 'LLEN', WAKE } }) do
  call(unpack(command))
end

local shared = { 'status', 'pending', 'attempts', '0', 'created_at', NOW }
for i = 1, #defaults do
  shared[#shared + 1] = defaults[i]
end
for name, value in pairs(own_settings) do
  shared[#shared + 1] = name
  shared[#shared + 1] = value
end
if packed ~= '' then
  shared[#shared + 1] = 'limits'
  shared[#shared + 1] = packed
end
for i = 1, #given do
  shared[#shared + 1] = given[i]
end
if env then
  shared[#shared + 1] = 'env'
  shared[#shared + 1] = env
end

-- Write what the jobs share once and copy it: half the work of setting it for each job, and a third of the
-- append-only file.
call('HSET', keys[1], unpack(shared))
for i = 2, #keys do
  call('COPY', keys[1], keys[i])
end
for i, id in ipairs(ids) do
  call('HSET', keys[i], 'command', commands[i], unpack(own[i] or {}))
  try('SADD', bucket(id), id)  -- if a foreign key prevents this, the job is found by its whole id alone
  -- A microsecond apart, so that a list shows them in the order given.
  enter({ id = id, to = 'pending' }, stamp(now + i / 1000000))
end
commit()
if not schema then
  call('SET', SCHEMA, LAYOUT)
  call('SET', ORIGIN, NOW)
end
if env then
  if stored == 0 then
    call('HSET', ENV .. env, 'variables', ARGV[1])
  end
  share(env, #ids)
end
return { 'ok' }
