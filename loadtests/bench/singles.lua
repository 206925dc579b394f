-- wrk posts one call a request, each with an external id of its own.
-- Arguments: the token, what makes ids of this round differ, and a file with one JSON object a line.
local threads = 0
function setup(thread) threads = threads + 1; thread:set("number", threads) end
function init(args)
  headers = { ["Authorization"] = "Bearer " .. args[1], ["Content-Type"] = "application/json" }
  round, calls, sent = args[2], {}, 0
  for line in io.lines(args[3]) do calls[#calls + 1] = line:sub(2) end
end
function request()
  sent = sent + 1
  local body = '{"external_id":"' .. round .. "-" .. number .. "-" .. sent .. '",' .. calls[sent % #calls + 1]
  return wrk.format("POST", nil, headers, body)
end
