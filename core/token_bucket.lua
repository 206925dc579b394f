-- Token buckets: take from several at once, in one atomic step.
--
-- KEYS      for each check: the bucket's key, then the key that says the caller's session has ended
--           (the bucket's key again where there is no session to look up)
-- ARGV      for each check: the bucket's size (units), its period (seconds), the cost (units), and how many units
--           must be there (the cost, or less: then the bucket may end in debt)
-- returns   for each check: 1 allowed, 0 refused or -1 session ended; units left; epoch second at which the
--           bucket is full again; seconds until the cost would be allowed (0 if it was)
--
-- A bucket is kept as what is owed, in units times microseconds of the period, so that all arithmetic is in
-- whole numbers: taking `cost` adds cost * period, and every microsecond repays `size`. The clock is the server's.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local answers = {}

for check = 0, #KEYS / 2 - 1 do
  local bucket, ended = KEYS[check * 2 + 1], KEYS[check * 2 + 2]
  local size, period = tonumber(ARGV[check * 4 + 1]), ARGV[check * 4 + 2] * 1000000
  local cost, needed = tonumber(ARGV[check * 4 + 3]), tonumber(ARGV[check * 4 + 4])
  local owed, at = 0, now
  local kept = redis.call('GET', bucket)
  if kept then
    local space = string.find(kept, ' ', 1, true)
    owed, at = tonumber(string.sub(kept, 1, space - 1)), tonumber(string.sub(kept, space + 1))
    owed = math.max(0, owed - math.max(0, now - at) * size)
  end
  local allowed = 0
  if ended ~= bucket and redis.call('EXISTS', ended) == 1 then
    allowed = -1
  elseif owed + needed * period <= size * period then
    allowed = 1
    owed = owed + cost * period
    redis.call('SET', bucket, string.format('%.0f %.0f', owed, math.max(now, at)), 'PX', math.ceil(owed / size / 1000) + 1)
  end
  local wait = 0
  if allowed == 0 then
    wait = math.ceil((owed + needed * period - size * period) / size / 1000000)
  end
  answers[check * 4 + 1] = allowed
  answers[check * 4 + 2] = math.floor((size * period - owed) / period)
  answers[check * 4 + 3] = math.ceil((now + owed / size) / 1000000)
  answers[check * 4 + 4] = wait
end
return answers
