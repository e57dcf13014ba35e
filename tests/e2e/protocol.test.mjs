// The two eras of MCP on one endpoint: which request belongs to which, and how each is refused.
// (rpc.test.mjs has the envelope and the headers of revision 2026-07-28, security.test.mjs what comes before MCP.)
import assert from "node:assert/strict";
import http from "node:http";
import { describe } from "node:test";
import { test, textOf, useBox } from "./harness.mjs";
import { EventStream, call, envelope, handshake, json, modern, modernHeaders, notification, peers, postModern, received } from "./wire.mjs";

const box = useBox({ windowManager: false });
const initialize = (version) => call(1, "initialize", { protocolVersion: version, capabilities: {}, clientInfo: { name: "e2e", version: "1" } });

/** One POST with exactly these headers: fetch() would add an Accept. */
function raw(path, headers, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: "127.0.0.1", port: box.daemon.port, agent: false, method: "POST", path, headers: { ...box.daemon.bearer, ...json, ...headers } },
      (response) => {
        let text = "";
        response.on("data", (piece) => { text += piece; });
        response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, text }));
      });
    request.on("error", reject);
    request.setTimeout(10_000, () => request.destroy(new Error(`${path} hangs`)));
    request.end(JSON.stringify(body));
  });
}

describe("/mcp answers whoever asks", () => {
  for (const path of ["/mcp", "/mcp/"]) {
    for (const accept of [undefined, "*/*", "application/json", "text/event-stream", "application/json, text/event-stream", "text/html"]) {
      test(`at ${path} with Accept: ${accept ?? "left out"}, without a redirect`, async () => {
        const headers = accept === undefined ? {} : { Accept: accept };
        const legacy = await raw(path, headers, call("a", "tools/list"));
        assert.equal(legacy.status, 200, legacy.text);
        assert.match(legacy.headers["content-type"], /^application\/json/);
        assert.equal(JSON.parse(legacy.text).id, "a");
        const message = modern("b", "tools/list");
        const newer = await raw(path, { ...headers, ...modernHeaders(message) }, message);
        assert.equal(newer.status, 200, newer.text);
        assert.equal(JSON.parse(newer.text).result.resultType, "complete");
        assert.equal(legacy.headers.location ?? newer.headers.location, undefined);
      });
    }
  }

  test("a legacy client may say Mcp-Method, as mcp-remote does, and is still a legacy client", async () => {
    const { status, body } = await box.daemon.post("/mcp", initialize("2025-11-25"), { headers: { "Mcp-Method": "initialize", "MCP-Protocol-Version": "2025-11-25" } });
    assert.equal(status, 200);
    assert.equal(body.result.protocolVersion, "2025-11-25");
    assert.equal(body.result.resultType, undefined);
  });

  test("a request without handshake and session is served, and begins no session", async () => {
    for (const version of [undefined, "2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]) {
      const { status, body, headers } = await box.daemon.post("/mcp", call(1, "tools/call", { name: "screen_info" }),
        { headers: version ? { "MCP-Protocol-Version": version } : {} });
      assert.equal(status, 200, version);
      assert.match(textOf(body.result), /1344/);
      assert.equal(headers.get("mcp-session-id"), null);
    }
  });
});

test("what is no JSON is 400 and -32700, what is no request 400 and -32600, whatever the header says", async () => {
  for (const headers of [{}, { "MCP-Protocol-Version": "2025-11-25" }, { "MCP-Protocol-Version": "2026-07-28" }]) {
    for (const [text, code] of [["{", -32700], ["5", -32600], ["{\"id\":1}", -32600]]) {
      const { status, body } = await box.daemon.post("/mcp", text, { headers });
      assert.deepEqual([status, body.error.code], [400, code], `${text} with ${JSON.stringify(headers)}`);
    }
  }
});

describe("in the older revisions", () => {
  test("a result has nothing that is newer", async () => {
    for (const [method, params] of [["tools/list"], ["resources/list"], ["resources/templates/list"], ["prompts/list"], ["ping"], ["resources/read", { uri: "screen://current" }]]) {
      const { body } = await box.daemon.post("/mcp", call(1, method, params));
      assert.ok(body.result, JSON.stringify(body));
      for (const member of ["resultType", "ttlMs", "cacheScope", "_meta"]) assert.ok(!(member in body.result), `${method}: ${member}`);
    }
  });

  const refused = [
    ["an unknown tool", call(1, "tools/call", { name: "nope" }), 200, -32602, /nope/],
    ["a call without a name", call(1, "tools/call", {}), 200, -32602, /name/],
    ["an unknown method", call(1, "no/such"), 200, -32601, /Method not found/],
    ["tasks/list", call(1, "tasks/list"), 200, -32601, /Method not found/],
    ["logging/setLevel", call(1, "logging/setLevel", { level: "info" }), 200, -32601, /Method not found/],
    ["an unknown resource", call(1, "resources/read", { uri: "screen://other" }), 200, -32002, /Resource not found/],
    ["an unknown prompt", call(1, "prompts/get", { name: "nope" }), 200, -32602, /operate_desktop/],
    ["an answer to a question that nobody asked, without a session", { jsonrpc: "2.0", id: 1, result: {} }, 400, -32600, /Invalid Request/],
    ["a subscription without a session", call(1, "resources/subscribe", { uri: "screen://current" }), 200, -32600, /session/],
  ];
  for (const [what, body, status, code, sentence] of refused) {
    test(`${what}: ${status} and ${code}`, async () => {
      const answer = await box.daemon.post("/mcp", body);
      assert.equal(answer.status, status, answer.text);
      assert.equal(answer.body.error.code, code);
      assert.match(answer.body.error.message, sentence);
      assert.equal(answer.body.id, "method" in body ? 1 : null);
      if (code === -32002) assert.deepEqual(answer.body.error.data, { uri: "screen://other" });
    });
  }

  test("the version header is optional, an unknown one is 400 with the versions that are served", async () => {
    const { status, body } = await box.daemon.post("/mcp", call(4, "ping"), { headers: { "MCP-Protocol-Version": "2025-01-01" } });
    assert.equal(status, 400);
    assert.equal(body.id, 4);
    for (const version of ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"]) assert.match(body.error.message, new RegExp(version));
  });

  test("a batch is answered where the revision has batches", async () => {
    const batch = [call(1, "ping"), notification("notifications/initialized"), call("2", "tools/call", { name: "screen_info" }), call(3, "no/such")];
    for (const version of [undefined, "2024-11-05", "2025-03-26"]) {
      const { status, body } = await box.daemon.post("/mcp", batch, { headers: version ? { "MCP-Protocol-Version": version } : {} });
      assert.equal(status, 200, version);
      const byId = new Map(body.map((answer) => [answer.id, answer]));
      assert.deepEqual([...byId.keys()].sort(), [1, 3, "2"].sort());
      assert.deepEqual(byId.get(1).result, {});
      assert.match(textOf(byId.get("2").result), /1344/);
      assert.equal(byId.get(3).error.code, -32601);
    }
    const told = await box.daemon.post("/mcp", [notification("notifications/initialized"), notification("notifications/cancelled", { requestId: 9 })]);
    assert.deepEqual([told.status, told.text], [202, ""]);
  });

  test("a batch is 400 and -32600 where it has none", async () => {
    const plain = [call(1, "ping")];
    const enveloped = [modern(1, "tools/list")];
    for (const [batch, version] of [[plain, "2025-06-18"], [plain, "2025-11-25"], [enveloped, undefined], [enveloped, "2025-03-26"], [enveloped, "2026-07-28"]]) {
      const { status, body } = await box.daemon.post("/mcp", batch, { headers: version ? { "MCP-Protocol-Version": version } : {} });
      assert.equal(status, 400, version);
      assert.equal(body.error.code, -32600, `${version}: ${JSON.stringify(body)}`);
      assert.match(JSON.stringify(body.error), /batch/);
    }
    const mismatched = await box.daemon.post("/mcp", plain, { headers: { "MCP-Protocol-Version": "2026-07-28" } });
    assert.deepEqual([mismatched.status, mismatched.body.error.code], [400, -32020]);
  });
});

describe("in revision 2026-07-28", () => {
  test("a session id is ignored and none is given", async () => {
    const { status, headers } = await postModern(box.daemon, modern(1, "tools/list"), { "Mcp-Session-Id": "no-such-session", "Last-Event-ID": "1-1" });
    assert.equal(status, 200);
    assert.equal(headers.get("mcp-session-id"), null);
  });

  test("a client that does not say its name is served; what tracing adds is let through", async () => {
    const _meta = envelope({}, { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", tracestate: "a=b", baggage: "c=d" });
    delete _meta["io.modelcontextprotocol/clientInfo"];
    const { status, body } = await postModern(box.daemon, call(1, "tools/call", { name: "screen_info", _meta }));
    assert.equal(status, 200);
    assert.match(textOf(body.result), /1344/);
  });

  test("every result says that it is complete and who gave it; lists and reads say how long they are good for", async () => {
    const hour = [3600000, "public"];
    const expected = [
      ["server/discover", {}, hour],
      ["tools/list", {}, [300000, "private"]],
      ["resources/list", {}, [300000, "private"]],
      ["resources/templates/list", {}, [300000, "private"]],
      ["prompts/list", {}, [300000, "private"]],
      ["resources/read", { uri: "screen://current" }, [0, "private"]],
      ["prompts/get", { name: "operate_desktop", arguments: { task: "x" } }, [undefined, undefined]],
      ["completion/complete", { ref: { type: "ref/prompt", name: "operate_desktop" }, argument: { name: "application", value: "" } }, [undefined, undefined]],
      ["tools/call", { name: "screen_info" }, [undefined, undefined]],
    ];
    for (const [method, params, [ttlMs, cacheScope]] of expected) {
      const { status, body } = await postModern(box.daemon, modern(method, method, params));
      assert.equal(status, 200, `${method}: ${JSON.stringify(body)}`);
      assert.equal(body.id, method);
      assert.equal(body.result.resultType, "complete", method);
      assert.equal(body.result._meta["io.modelcontextprotocol/serverInfo"].name, "selfagent", method);
      assert.deepEqual([body.result.ttlMs, body.result.cacheScope], [ttlMs, cacheScope], method);
      assert.equal(body.result.serverInfo, undefined, method);
    }
  });

  const without = (message, name) => {
    const headers = modernHeaders(message);
    delete headers[name];
    return [message, headers];
  };
  const prompt = modern(1, "prompts/get", { name: "operate_desktop", arguments: { task: "x" } });
  const read = modern(1, "resources/read", { uri: "screen://current" });
  const refused = [
    ["ping", modern(1, "ping"), undefined, 404, -32601, /Method not found/],
    ["logging/setLevel", modern(1, "logging/setLevel", { level: "info" }), undefined, 404, -32601, /Method not found/],
    ["resources/subscribe", modern(1, "resources/subscribe", { uri: "screen://current" }), undefined, 404, -32601, /Method not found/],
    ["resources/unsubscribe", modern(1, "resources/unsubscribe", { uri: "screen://current" }), undefined, 404, -32601, /Method not found/],
    ["tasks/get", modern(1, "tasks/get", { taskId: "x" }), undefined, 404, -32601, /Method not found/],
    ["a prompt without Mcp-Name", ...without(prompt, "Mcp-Name"), 400, -32020, /mcp-name is missing/],
    ["a prompt with another Mcp-Name", prompt, { ...modernHeaders(prompt), "Mcp-Name": "run_coding_task" }, 400, -32020, /run_coding_task/],
    ["a read without Mcp-Name", ...without(read, "Mcp-Name"), 400, -32020, /mcp-name is missing/],
    ["a read with another Mcp-Name", read, { ...modernHeaders(read), "Mcp-Name": "screen://other" }, 400, -32020, /screen:\/\/other/],
    ["an unknown resource", modern(1, "resources/read", { uri: "screen://other" }), undefined, 200, -32602, /Resource not found/],
    ["an unknown prompt", modern(1, "prompts/get", { name: "nope" }), undefined, 200, -32602, /operate_desktop/],
    ["a prompt without its argument", modern(1, "prompts/get", { name: "operate_desktop" }), undefined, 200, -32602, /task/],
    ["a subscription that cannot be streamed", modern(1, "subscriptions/listen", { notifications: {} }), { ...modernHeaders(modern(1, "subscriptions/listen")), Accept: "application/json" }, 200, -32600, /text\/event-stream/],
    ["a subscription to nothing", modern(1, "subscriptions/listen"), undefined, 200, -32602, /notifications/],
    ["answers that are no object", modern(1, "tools/call", { name: "screen_info", inputResponses: [] }), undefined, 200, -32602, /inputResponses/],
    ["a state that nobody gave", modern(1, "tools/call", { name: "screen_info", requestState: "v1.e30=.00" }), undefined, 200, -32602, /requestState/],
  ];
  for (const [what, body, headers, status, code, sentence] of refused) {
    test(`${what}: ${status} and ${code}`, async () => {
      const answer = await box.daemon.post("/mcp", body, { headers: headers ?? modernHeaders(body) });
      assert.equal(answer.status, status, answer.text);
      assert.equal(answer.body.id, 1);
      assert.equal(answer.body.error.code, code, answer.text);
      assert.match(answer.body.error.message, sentence);
      if (what === "an unknown resource") assert.deepEqual(answer.body.error.data, { uri: "screen://other" });
    });
  }

  test("an event stream has no ids: it cannot be resumed", async () => {
    const stream = await EventStream.modern(box.daemon, modern(1, "tools/call", { name: "shell", arguments: { command: "echo no ids" } }));
    assert.match(textOf((await stream.answer(1)).result), /no ids/);
    await stream.ended;
    assert.ok(stream.events.every((event) => event.id === undefined && event.retry === undefined && event.event === "message"));
    assert.equal(stream.headers["x-accel-buffering"], "no");
  });
});

for (const [name, open] of Object.entries(peers)) {
  describe(`over ${name}`, () => {
    test("the first message decides the era, server/discover does not", async () => {
      const peer = await open(box.daemon);
      try {
        assert.deepEqual((await peer.request(0, "server/discover", { _meta: envelope() })).result.supportedVersions, ["2026-07-28"]);
        await handshake(peer, { revision: "2025-06-18" });
        assert.equal((await peer.request(2, "tools/list")).result.resultType, undefined);
        assert.deepEqual((await peer.request(3, "ping")).result, {});
      } finally {
        await peer.close();
      }
    });

    test("a modern connection refuses initialize with -32022, ping with -32601 and a bare request with -32602", async () => {
      const peer = await open(box.daemon);
      try {
        assert.equal((await peer.request(1, "tools/list", { _meta: envelope() })).result.resultType, "complete");
        const late = (await peer.request(2, "initialize", { protocolVersion: "2025-11-25" })).error;
        assert.deepEqual([late.code, late.data], [-32022, { supported: ["2026-07-28"], requested: "2025-11-25" }]);
        assert.equal((await peer.request(3, "ping", { _meta: envelope() })).error.code, -32601);
        assert.equal((await peer.request(4, "tools/list", {})).error.code, -32602);
        const old = { _meta: envelope({}, { "io.modelcontextprotocol/protocolVersion": "2025-11-25" }) };
        assert.equal((await peer.request(5, "tools/list", old)).error.code, -32022);
        assert.equal((await peer.request(6, "tools/call", { name: "screen_info", _meta: envelope() })).result.resultType, "complete");
        assert.equal(received(peer).length, 6, "one answer for each");
      } finally {
        await peer.close();
      }
    });
  });
}
