-- Removes a job and all that belongs to it on the server. Uses keys.
local function delete(id, state)
  local env = field(id, 'env')
  redis.call('DEL', JOB .. id)
  redis.call('ZREM', INDEX[state], id)
  redis.call('SREM', IDS .. string.sub(id, 1, 4), id)
  if env and redis.call('HINCRBY', ENV .. env, 'jobs', -1) <= 0 then
    redis.call('DEL', ENV .. env)
  end
end
