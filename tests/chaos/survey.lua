#!lua flags=no-writes
-- One look at the whole queue, at one instant.
--
-- KEYS[1]   namespace
-- Reply     JSON: {now, counts: state -> number by its index, statuses: state -> number by the hashes,
--           processing: {id...} by the hashes, leased: {id...}, misplaced: {{id, status, indexes}...},
--           retries: {id, when it is due, ...}}
local prefix = KEYS[1]
local INDEX = {
  pending = ':idx:pending',
  processing = ':running',
  failed = ':retry_queue',
  completed = ':idx:completed',
  dead = ':idx:dead',
  cancelled = ':idx:cancelled',
}
local clock = redis.call('TIME')
local counts, statuses, places, leased, processing, misplaced = {}, {}, {}, {}, {}, {}
for state, key in pairs(INDEX) do
  local ids = redis.call('ZRANGE', prefix .. key, 0, -1)
  counts[state] = #ids
  for _, id in ipairs(ids) do
    places[id] = places[id] and places[id] .. ' ' .. state or state
  end
  if state == 'processing' then
    leased = ids
  end
end
for _, key in ipairs(redis.call('KEYS', prefix .. ':jobs:*')) do
  local id = string.sub(key, #prefix + 7)
  local status = redis.call('HGET', key, 'status') or 'none'
  statuses[status] = (statuses[status] or 0) + 1
  if status == 'processing' then
    processing[#processing + 1] = id
  end
  if places[id] ~= status then
    misplaced[#misplaced + 1] = { id, status, places[id] or '' }
  end
  places[id] = nil
end
for id, place in pairs(places) do
  misplaced[#misplaced + 1] = { id, 'no hash', place }
end
return cjson.encode({
  now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000,
  counts = counts,
  statuses = statuses,
  processing = processing,
  leased = leased,
  misplaced = misplaced,
  retries = redis.call('ZRANGE', prefix .. INDEX.failed, 0, -1, 'WITHSCORES'),
})
