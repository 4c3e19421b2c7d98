#!lua flags=allow-oom
-- Requests that the end of a job, and of each failed attempt, be published on its channel.
-- uses: keys
--
-- KEYS[1]   namespace
-- ARGV      id
-- Reply     its state now, or '' if there is no such job
local state = field(ARGV[1], 'status')
if state then
  call('HSET', JOB .. ARGV[1], 'ties', 'watched')
end
return state or ''
