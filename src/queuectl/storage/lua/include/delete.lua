-- Removes a job and everything that belongs to it on the server.
-- uses: keys indexes ids environment
local function delete(id, state)
  local env = field(id, 'env')
  call('DEL', JOB .. id)
  call('ZREM', INDEX[state], id)
  call('SREM', bucket(id), id)
  if env and call('HINCRBY', ENV .. env, 'jobs', -1) <= 0 then
    call('DEL', ENV .. env)
  end
end
