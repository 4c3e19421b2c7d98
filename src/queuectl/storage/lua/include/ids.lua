-- Looks up jobs by the first digits of their id.
-- uses: keys
local IDS = prefix .. 'ids:'

local function bucket(id)
  return IDS .. string.sub(id, 1, 4)
end
