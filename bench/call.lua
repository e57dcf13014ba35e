-- wrk script: one tools/call per request, and one line of JSON with the result at the end.
--
-- The arguments after "--" are headers as "Name: value", then the params of the call as JSON. Every request has its own
-- id, because the peer's session keys its answers by id; ids have a fixed width, so that the rest of the request is made
-- only once.
local first, last
local id = 10000000

function init(args)
  local headers = {}
  for i = 1, #args - 1 do
    local name, value = args[i]:match("^([^:]+): (.*)$")
    headers[name] = value
  end
  local body = '{"jsonrpc":"2.0","id":10000000,"method":"tools/call","params":' .. args[#args] .. "}"
  headers["Content-Type"] = "application/json"
  headers["Accept"] = "application/json, text/event-stream"
  local request = wrk.format("POST", wrk.path, headers, body)
  local at = request:find("10000000", 1, true)
  first, last = request:sub(1, at - 1), request:sub(at + 8)
end

function request()
  id = id + 1
  return first .. id .. last
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"duration_us":%d,"bytes":%d,"median_us":%d,"p99_us":%d,"errors":%d}\n',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
