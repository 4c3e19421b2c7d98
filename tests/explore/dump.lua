#!lua flags=no-writes
-- KEYS[1]   namespace
-- Reply     all its keys as JSON: {name: [type, content, whether it expires (1 or 0)]}
local prefix = KEYS[1] .. ':'
local read = {
  string = function(key) return redis.call('GET', key) end,
  list = function(key) return redis.call('LRANGE', key, 0, -1) end,
  set = function(key) return redis.call('SMEMBERS', key) end,
  zset = function(key) return redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end,
  hash = function(key)
    local flat, fields = redis.call('HGETALL', key), {}
    for i = 1, #flat, 2 do
      fields[flat[i]] = flat[i + 1]
    end
    return fields
  end,
}
local found = {}
for _, key in ipairs(redis.call('KEYS', prefix .. '*')) do
  local kind = redis.call('TYPE', key).ok
  found[string.sub(key, #prefix + 1)] = { kind, read[kind](key), redis.call('PTTL', key) > 0 and 1 or 0 }
end
return cjson.encode(found)
