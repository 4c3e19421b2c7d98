#!lua flags=allow-oom
-- Tells all workers to finish their jobs and stop.
-- uses: workers
--
-- KEYS[1]   namespace
-- Reply     number of workers that were told
call('SET', prefix .. 'stop_signal', 'true')
tell_all('stop')
return call('ZCOUNT', WORKERS, NOW, '+inf')
