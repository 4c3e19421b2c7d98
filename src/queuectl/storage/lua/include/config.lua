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

-- Returns the settings that the queue has of its own, name -> text. `rules`: 'name characters most name characters ...'.
local function settings(rules)
  local stored, own, known = call('HGETALL', CONFIG), {}, {}
  for i = 1, #stored, 2 do
    known[stored[i]] = stored[i + 1]
  end
  if #stored > 0 then
    for name, characters, most in string.gmatch(rules, '(%S+) (%S*) (%S+)') do
      own[name] = checked(known[name], characters, most)
    end
  end
  return own
end
