-- The queue's end that is taken next. An id is a hint: its job may be in any state, or gone.
-- uses: keys
local function take(count)
  return call('RPOP', QUEUE, count) or {}
end
