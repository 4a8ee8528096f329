-- Participants from LuaJIT, for scripts in FreeSWITCH and OpenResty: a blocking call, and calls through the
-- queue, whose descriptor any event loop can watch. The credentials are in
-- BW_ACCOUNT_ID, BW_CLIENT_ID and BW_CLIENT_SECRET.
local ffi = require("ffi")

ffi.cdef [[
typedef struct bw_client bw_client;
typedef struct bw_queue bw_queue;
typedef int32_t bw_status;
bw_status bw_client_new(const char *config_json, bw_client **client, char **error);
void bw_client_free(bw_client *client);
bw_status bw_create_participant(bw_client *client, const char *request_json, char **out);
bw_status bw_queue_new(bw_client *client, const char *options_json, bw_queue **queue, char **error);
bw_status bw_queue_submit(bw_queue *queue, const char *call_json, void *user_data, uint64_t *id,
                          char **error);
int bw_queue_fd(bw_queue *queue);
bw_status bw_queue_next(bw_queue *queue, int32_t timeout_ms, uint64_t *id, void **user_data,
                        bw_status *status, char **out);
bw_status bw_queue_close(bw_queue *queue);
void bw_queue_free(bw_queue *queue);
bw_status bw_json_get(const char *json, const char *pointer, char **text);
const char *bw_status_name(bw_status status);
void bw_free(void *text);

struct pollfd { int fd; short events; short revents; };
int poll(struct pollfd *entries, unsigned long count, int timeout_ms);
]]

local bw = ffi.load(os.getenv("BW_WEBRTC_LIBRARY") or "libbw_webrtc.so.0")
local OK, POLLIN = 0, 1

-- Converts a text of the library to a Lua string, and frees it.
local function take(out)
  if out[0] == nil then return nil end
  local text = ffi.string(out[0])
  bw.bw_free(out[0])
  out[0] = nil
  return text
end

local function get(json, pointer)
  local out = ffi.new("char *[1]")
  return bw.bw_json_get(json, pointer, out) == OK and take(out) or nil
end

local out = ffi.new("char *[1]")
local function must(status)
  if status ~= OK then
    error(ffi.string(bw.bw_status_name(status)) .. ": " .. (take(out) or ""), 0)
  end
end

local clients = ffi.new("bw_client *[1]")
must(bw.bw_client_new(nil, clients, out))
local client = ffi.gc(clients[0], bw.bw_client_free)

-- A blocking call.
must(bw.bw_create_participant(client, '{"tag": "waited for"}', out))
print(get(take(out), "/participant/tag"))

-- Non-blocking calls. The number of a call identifies its data.
local queues = ffi.new("bw_queue *[1]")
must(bw.bw_queue_new(client, '{"workers": 4}', queues, out))
local queue = ffi.gc(queues[0], bw.bw_queue_free)
local id, waiting, left = ffi.new("uint64_t[1]"), {}, 0
for n = 1, 10 do
  local tag = "caller " .. n
  local call = '{"operation": "createParticipant", "body": {"tag": "' .. tag .. '"}}'
  must(bw.bw_queue_submit(queue, call, nil, id, out))
  waiting[tonumber(id[0])] = tag
  left = left + 1
end

local entry = ffi.new("struct pollfd[1]", { { bw.bw_queue_fd(queue), POLLIN, 0 } })
local status, data, ticks = ffi.new("bw_status[1]"), ffi.new("void *[1]"), 0
while left > 0 do
  if ffi.C.poll(entry, 1, 5) == 0 then
    ticks = ticks + 1
  else
    while bw.bw_queue_next(queue, 0, id, data, status, out) == OK do
      local answer, tag = take(out), waiting[tonumber(id[0])]
      assert(status[0] == OK, answer)
      assert(get(answer, "/participant/tag") == tag, "another's answer")
      left = left - 1
    end
  end
end
print("10 callers, each with its own; the loop " .. (ticks > 0 and "ticked on meanwhile" or "stood still meanwhile"))
