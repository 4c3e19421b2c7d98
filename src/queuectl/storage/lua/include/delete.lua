-- Removes a job and everything that belongs to it on the server.
-- uses: keys indexes ids environment stale
local function delete(id, state)
  local env = field(id, 'env')
  call('DEL', JOB .. id)
  drop(id, state)
  call('SREM', bucket(id), id)
  if env then
    share(env, -1)
  end
end
