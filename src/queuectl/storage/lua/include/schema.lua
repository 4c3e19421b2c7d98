-- The version of the layout of keys and fields, and when the queue began.
-- uses: keys
local LAYOUT = 1
local SCHEMA = prefix .. 'schema'
local ORIGIN = prefix .. 'origin'

-- Returns `schema` if it is later than ours, else nil: we must not touch what we don't know.
local function newer(schema)
  return schema and not ((tonumber(schema) or math.huge) <= LAYOUT) and schema or nil
end
