-- Folds the changes of ledger records that follow one another into the working state
-- of one announcement, and stores the position of the last in the same step.
--
-- KEYS  1 meta (hash: applied, closed, channels, version)   2 fields (hash of details)
--       3 refs (set of answer refs)                4 counters (hash)
--       5 bits (set of the names of bitmaps made)
--       All carry the same hash tag {id}; bitmaps are KEYS[1]'s prefix + name.
-- ARGV  1 prefix "kentongan:{id}:"  2 position before the first record
--       3.. of each record its position ("record", position), then its changes:
--           verb and arguments joined by 0x1f (see Op in store.go)
-- Returns 1 applied, 0 known already, -1 state was lost. Records that were applied by
-- another node, which takes other portions, are passed over.
-- O(changes). It reads no clock: every time is an argument. Everything is
-- checked before the first write, because Lua does not roll back. Numbers of
-- positions stay below 2^53.
local prefix, prev = ARGV[1], tonumber(ARGV[2])
local applied = tonumber(redis.call('HGET', KEYS[1], 'applied') or '0')

local function split(s)
  local t = {}
  for part in string.gmatch(s .. '\31', '([^\31]*)\31') do t[#t + 1] = part end
  return t
end

local changes, seq, last = {}, 0, prev -- last: the newest position that is there already
for i = 3, #ARGV do
  local a = split(ARGV[i])
  if a[1] == 'record' then
    seq = tonumber(a[2])
    if seq <= applied then last = seq end
  elseif seq > applied then
    changes[#changes + 1] = a
  end
end
if seq <= applied then return 0 end
if applied ~= last then return -1 end

local function get(name, n) return redis.call('GETBIT', prefix .. name, n) == 1 end
local made = {} -- names of bitmaps that this call has noted
local function set(name, n, on, was) -- was: as it is now, where that is known
  if was == nil then was = get(name, n) end
  if was == on then return end -- most are: a rebuilding is mainly this
  if not made[name] then redis.call('SADD', KEYS[5], name) end
  made[name] = true
  redis.call('SETBIT', prefix .. name, n, on and 1 or 0)
end
local closed
local function is_closed()
  if closed == nil then closed = redis.call('HGET', KEYS[1], 'closed') and true or false end
  return closed
end
local function field(name) return redis.call('HGET', KEYS[2], name) or '' end
local function put(name, value) redis.call('HSET', KEYS[2], name, value) end
local function count(name, by) redis.call('HINCRBY', KEYS[4], name, by) end
local version = tonumber(redis.call('HGET', KEYS[1], 'version') or '1') -- of the text that counts
-- version_in is the version of an answer (8), of what was vouched (7) or of a rung (4).
-- What was stored before there were versions ends before that, and is of the first.
local function version_in(said, at) return tonumber(said[at] or '1') end
-- counting returns what was said if it counts for the version: it was said of that one,
-- or that somebody needs help. Else it is as if nothing was said.
local function counting(said, at)
  if #said > 1 and said[2] ~= '2' and version_in(said, at) < version then return {''} end
  return said
end

-- climb raises the ladder of recipient n on a channel; ranks only rise. Each version
-- has ladders of its own: what becomes known later of an earlier one is not told.
local function climb(n, of, alert, channel, rank, failure, at)
  if tonumber(of) < version then return end
  local name = n .. ':l:' .. channel
  local was = split(field(name))
  if was[1] ~= '' and version_in(was, 4) < version then was = {''} end
  if was[1] == '' or tonumber(rank) > tonumber(was[1]) then
    if was[1] ~= '' then
      count('r:' .. channel .. ':' .. was[1], -1)
      if was[3] ~= '' then count('f:' .. channel .. ':' .. was[3], -1) end
    end
    count('r:' .. channel .. ':' .. rank, 1)
    if failure ~= '' then count('f:' .. channel .. ':' .. failure, 1) end
    put(name, rank .. '\31' .. at .. '\31' .. failure .. '\31' .. of)
  end
  if rank == '5' then
    set('failed:' .. channel, n, false)
    set('failed', n, false)
  elseif rank == '4' and alert == '1' and was[1] ~= '5' then
    set('failed:' .. channel, n, true)
    for c in string.gmatch(redis.call('HGET', KEYS[1], 'channels') or '', '[^,]+') do
      if not get('failed:' .. c, n) then return end
    end
    set('failed', n, true)
  end
end

-- reckon sets the state of recipient n from their own answer, else from what a
-- named person says. Somebody else's word against their own counts in one case:
-- that they need help, said since. Returns whether they came to need help.
local function reckon(n, at)
  local before, had, states = '', {}, {'safe', 'help', 'offsite'}
  for i, name in ipairs(states) do
    had[i] = get(name, n)
    if had[i] then before = tostring(i) end
  end
  local answer, late = '', false
  local own, vouched = counting(split(field(n .. ':o')), 8), counting(split(field(n .. ':v')), 7)
  local counts = #vouched > 1 and vouched[2] ~= '0' -- 0: taken back
    and (#own == 1 or vouched[2] == '2' and own[2] ~= '2' and tonumber(vouched[1]) >= tonumber(own[1]))
  if counts then
    answer = vouched[2]
  elseif #own > 1 then
    answer, late = own[2], own[3] == '1'
  end
  for i, name in ipairs(states) do set(name, n, answer == tostring(i), had[i]) end
  set('vouched', n, counts)
  set('late', n, late)
  if answer ~= before then put(n .. ':s', at) end
  return answer == '2' and before ~= '2'
end

local apply = {}
function apply.open(a) -- channels, bitmap of those nothing reaches (hex)
  redis.call('HSET', KEYS[1], 'channels', a[2])
  redis.call('SADD', KEYS[5], 'nocontact')
  local bits = string.gsub(a[3], '..', function(x) return string.char(tonumber(x, 16)) end)
  redis.call('SET', prefix .. 'nocontact', bits)
end
function apply.call(a) -- number round channel recipient rank failure at taken version alert text
  set('settled:' .. a[3] .. ':' .. a[4], a[2], true)
  if a[5] == '1' then
    if a[9] == '1' then
      set('called', a[2], true)
      if a[4] == 'sms' then -- when it was first handed over, and which one before
        local was = split(field(a[2] .. ':t'))
        if was[1] ~= a[12] then put(a[2] .. ':t', a[12] .. '\31' .. a[8] .. '\31' .. was[1]) end
      end
    end
    climb(a[2], a[10], a[11], a[4], a[6], a[7], a[8])
  elseif a[9] == '1' then
    put('t:' .. a[3] .. ':' .. a[2], '1')
  end
end
function apply.receipt(a) climb(a[2], a[8], a[9], a[4], a[5], a[6], a[7]) end -- number round channel rank failure at version alert
function apply.opened(a) -- number at
  if not get('opened', a[2]) then
    set('opened', a[2], true)
    if not (get('safe', a[2]) or get('help', a[2]) or get('offsite', a[2])) then put(a[2] .. ':s', a[3]) end
  end
end
function apply.answer(a) -- number answer said ref at cause via from_words note version
  local n, answer, said = a[2], a[3], a[4]
  if redis.call('SADD', KEYS[3], a[5]) == 0 then return end
  redis.call('HSETNX', KEYS[2], n .. ':f', said)
  local was, of = split(field(n .. ':o')), tonumber(a[11])
  if answer == '2' then of = version end -- a call for help counts whatever it was an answer to,
  if was[1] ~= '' and (of < version_in(was, 8) or of < version and was[2] == '2') then return end
  if was[1] ~= '' and of == version_in(was, 8) and tonumber(said) < tonumber(was[1]) then
    if answer ~= '2' then return end -- and however wrong the phone's clock is
    said = was[1]
  end
  local claim = split(field(n .. ':c'))
  local resolved = #claim == 4 and claim[4] ~= ''
  if answer == '2' and (was[2] ~= '2' or resolved) then
    put(n .. ':h', a[7])
    if resolved or not get('help', n) then -- nobody handles this call yet
      put(n .. ':c', '')
      put(n .. ':s', a[6])
    end
  end
  local late = is_closed() and '1' or '0'
  put(n .. ':o', table.concat({said, answer, late, a[8], a[9], a[10], a[5], of}, '\31'))
  reckon(n, a[6])
end
function apply.vouch(a) -- number answer said ref at by actor how note cause version
  local n, said = a[2], a[4]
  if redis.call('SADD', KEYS[3], a[5]) == 0 then return end
  local was, of = split(field(n .. ':v')), tonumber(a[12])
  if a[3] == '2' then of = version end
  if was[1] ~= '' and (of < version_in(was, 7) or of < version and was[2] == '2'
    or of == version_in(was, 7) and tonumber(said) < tonumber(was[1])) then return end
  put(n .. ':v', table.concat({said, a[3], a[7], a[8], a[9], a[10], of}, '\31'))
  if reckon(n, a[6]) then
    put(n .. ':h', a[11])
    put(n .. ':c', '')
  end
end
function apply.excuse(a) set('excused', a[2], true) end
function apply.join(a) -- number unreachable
  set('excused', a[2], false)
  set('nocontact', a[2], a[3] == '1')
end
function apply.claim(a) put(a[2] .. ':c', table.concat({a[3], a[4], a[5], a[6]}, '\31')) end -- number by actor at resolved
function apply.revise(a) -- version: everybody is asked again, and whoever needs help goes on needing it
  if tonumber(a[2]) <= version then return end
  version = tonumber(a[2])
  redis.call('HSET', KEYS[1], 'version', a[2])
  for _, name in ipairs({'safe', 'offsite', 'opened', 'failed'}) do redis.call('DEL', prefix .. name) end
  for c in string.gmatch(redis.call('HGET', KEYS[1], 'channels') or '', '[^,]+') do redis.call('DEL', prefix .. 'failed:' .. c) end
  redis.call('BITOP', 'AND', prefix .. 'vouched', prefix .. 'vouched', prefix .. 'help')
  redis.call('DEL', KEYS[4])
end
function apply.close()
  redis.call('HSET', KEYS[1], 'closed', '1')
  closed = true
end

for _, a in ipairs(changes) do
  if not apply[a[1]] then return redis.error_reply('ERR unknown change') end
end
for _, a in ipairs(changes) do apply[a[1]](a) end
redis.call('HSET', KEYS[1], 'applied', string.format('%.0f', seq))
return 1
