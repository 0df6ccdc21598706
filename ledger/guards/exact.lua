-- Whole numbers beyond 2^53, where Lua's are no longer exact. They stay texts, or are sums in two parts: what a sum has
-- under -at is worth 10^9 times what it has under at.
local ALONE = 2^52  -- up to here a sum is one number; some thousand last parts more, and it is still exact
local function parts(text)  -- what is before its last nine digits, and those
  return tonumber(string.sub(text, 1, -10)) or 0, tonumber(string.sub(text, -9))
end
local function minus(text, one, other)  -- less one and another: 0 exactly where it is, and of the right sign
  local high, low = parts(text)
  local high_one, low_one = parts(one)
  local high_other, low_other = parts(other)
  return (high - high_one - high_other) * 1e9 + (low - low_one - low_other)
end
local function plus(sums, at, text)
  local low = sums[at] or 0
  local sum = low + text
  if sum < ALONE then sums[at] = sum; return end
  local high, tail = parts(text)
  sums[at], sums[-at] = low + tail, (sums[-at] or 0) + high
end
local function total(sums, at)
  local low, high = sums[at], sums[-at]
  return high and string.format('%.0f%09.0f', high + math.floor(low / 1e9), low % 1e9) or string.format('%.0f', low)
end
