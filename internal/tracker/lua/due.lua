-- Leases timers that are due: returns them and puts them off, so that another
-- node takes over when this one dies.
--
-- KEYS  1 timers (sorted set: announcement, due in unix milliseconds)
-- ARGV  1 now   2 lease end (both unix milliseconds)   3 most to return
-- Returns announcement ids, earliest first. O(log n + returned).
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, tonumber(ARGV[3]))
for _, id in ipairs(due) do redis.call('ZADD', KEYS[1], ARGV[2], id) end
return due
