#!lua flags=allow-oom
-- Removes the stop signal: workers that are still finishing their jobs continue.
-- uses: messages
--
-- KEYS[1]   namespace
-- Reply     1 if it was set, else 0
if call('DEL', prefix .. 'stop_signal') == 0 then
  return 0
end
tell_all('resume')
return 1
