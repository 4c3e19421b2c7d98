-- The token that idle runners wait for.
-- uses: keys
local WAKE = prefix .. 'wake:default'

-- One token is enough: the runner that takes it claims, and leaves a new one if work remains.
local function wake()
  if call('LLEN', WAKE) == 0 then
    call('RPUSH', WAKE, '1')
  end
end
