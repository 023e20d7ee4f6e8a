-- Removes everything of one announcement.
--
-- KEYS  1 meta  2 fields  3 refs  4 counters  5 bits (names of its bitmaps)
-- ARGV  1 prefix "kentongan:{id}:"
-- Returns 1. O(names).
for _, name in ipairs(redis.call('SMEMBERS', KEYS[5])) do redis.call('DEL', ARGV[1] .. name) end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5])
return 1
