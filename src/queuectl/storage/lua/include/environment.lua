-- Variables that jobs share, stored once with the number of those jobs.
-- uses: keys
local ENV = prefix .. 'env:'
