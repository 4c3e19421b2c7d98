-- Who is alive, and what each runner claimed last.
-- uses: keys time messages
local WORKER = prefix .. 'worker:'
local WORKERS = prefix .. 'workers'
local CLAIMED = prefix .. 'claimed:'
