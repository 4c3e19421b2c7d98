-- Settings of the whole queue.
-- uses: keys
local CONFIG = prefix .. 'config'

-- Returns `text` if it is a number of these characters within Python's bounds, or, without characters, any text without
-- NUL; else nil, since anybody may write to the hash. Lua alone would also accept ' 3', '0x10', 'inf' and 'nan'.
local function checked(text, characters, most)
  if not text or text == '' or string.find(text, characters == '' and '%z' or '[^' .. characters .. ']') then
    return nil
  end
  local number = tonumber(text)
  return (characters == '' or number and number >= 0 and number <= tonumber(most)) and text or nil
end

-- Returns the settings in force, name -> text. `rows`: name, default, characters, most, name, default ...
local function settings(rows)
  local names, values = {}, {}
  for i = 1, #rows, 4 do
    names[#names + 1] = rows[i]
  end
  local stored = #names > 0 and call('HMGET', CONFIG, unpack(names)) or {}
  for i, name in ipairs(names) do
    local at = 4 * i - 3
    values[name] = checked(stored[i], rows[at + 2], rows[at + 3]) or rows[at + 1]
  end
  return values
end
