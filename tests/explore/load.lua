#!lua
-- Empties the database, and writes what `dump.lua` has read.
-- KEYS[1]   namespace
-- ARGV      the JSON, then names of keys that are left out
redis.call('FLUSHDB')
local left_out = {}
for i = 2, #ARGV do
  left_out[ARGV[i]] = true
end
local add = { list = 'RPUSH', set = 'SADD' }
for name, key in pairs(cjson.decode(ARGV[1])) do
  local full, kind, content = KEYS[1] .. ':' .. name, key[1], key[2]
  if left_out[name] then
    kind = nil
  elseif kind == 'string' then
    redis.call('SET', full, content)
  elseif kind == 'zset' then
    local flat = {}
    for i = 1, #content, 2 do
      flat[i], flat[i + 1] = content[i + 1], content[i]
    end
    redis.call('ZADD', full, unpack(flat))
  elseif kind == 'hash' then
    local flat = {}
    for field, value in pairs(content) do
      flat[#flat + 1] = field
      flat[#flat + 1] = value
    end
    redis.call('HSET', full, unpack(flat))
  else
    redis.call(add[kind], full, unpack(content))
  end
  if kind and key[3] == 1 then
    redis.call('EXPIRE', full, 1000000)
  end
end
return 1
