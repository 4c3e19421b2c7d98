-- The version of the layout of keys and fields. Uses keys.
local LAYOUT = 1

-- The server's version if it is later than ours, else nil: what we don't know must not be touched.
local function newer()
  local schema = redis.call('GET', SCHEMA)
  return schema and not ((tonumber(schema) or math.huge) <= LAYOUT) and schema or nil
end
