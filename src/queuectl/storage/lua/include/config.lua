-- Settings of the whole queue, as model/config.py has them. Anybody may write to their hash: what is no
-- number, or out of bounds, counts as not set.
local YEAR = 366 * 86400
local MOST = {
  max_retries = 1000,
  backoff_base = YEAR,
  backoff_factor = 1000,
  timeout = YEAR,
  completed_retention = 100 * YEAR,
  dead_retention = 100 * YEAR,
  max_finished = 1000000000,
}
local WHOLE = { max_retries = true, max_finished = true }

-- `text` if it is a value for this setting, else nil. Lua alone would take ' 3', '0x10', 'inf' and 'nan', too.
local function setting(name, text)
  if not text or string.find(text, '[^%d.e+-]') or WHOLE[name] and not string.find(text, '^[+-]?%d+$') then
    return nil
  end
  local number = tonumber(text)
  return number and number >= 0 and number <= MOST[name] and text or nil
end
