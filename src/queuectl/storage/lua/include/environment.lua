-- Variables that jobs share, stored once with the number of those jobs.
-- uses: keys
local ENV = prefix .. 'env:'

-- Notes that so many more jobs have these variables, and removes them with the last one. A count that is damaged
-- stays: the variables are then kept rather than lost.
local function share(env, jobs)
  local sharing = try('HINCRBY', ENV .. env, 'jobs', jobs)
  if type(sharing) == 'number' and sharing <= 0 then
    call('DEL', ENV .. env)
  end
end
