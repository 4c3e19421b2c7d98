-- Variables that jobs share, stored once with a count of these jobs.
-- uses: keys
local ENV = prefix .. 'env:'
