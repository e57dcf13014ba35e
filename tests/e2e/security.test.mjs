// Who may do what: tokens and their profiles, tickets, slowed guessing, and what must never be written down.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { join } from "node:path";
import { describe } from "node:test";
import { binary, run, test, until, useBox, within } from "./harness.mjs";

const owner = "owner-5f1c9a7e33d04b62";
const look = "look-0a9b8c7d6e5f4321";
const desktop = "desktop-77aa66bb55cc44";
const code = "code-1029384756aabbcc";
const second = "second-deadbeefcafe42";
const wrong = "wrong-6b8f2d4c1e0a9753";

const tokenFile = JSON.stringify({
  tokens: [
    { name: "eye", token: look, profile: "look-only", approve: ["shell"] },
    { name: "hand", token: desktop, profile: "desktop-only" },
    { name: "coder", sha256: createHash("sha256").update(code).digest("hex"), profile: "code-only" },
    { name: "second", token: second, profile: "full" },
  ],
});

const box = useBox({
  args: ["--log-level", "debug"],
  windowManager: false,
  prepare: async (own) => {
    const path = join(own.folder, "tokens.json");
    writeFileSync(path, tokenFile, { mode: 0o600 });
    return { env: { SELFAGENT_TOKEN: owner, SELFAGENT_TOKEN_FILE: path, SELFAGENT_APPROVE: "shell,delete_file" } };
  },
});

/** Everything that the daemon answered, but for the answers that hand out tickets. */
const answers = [];
const tickets = [];

let strangers = 0;
/** An address of the loopback net that nobody has used: wrong tokens are counted by address. */
const stranger = () => `127.9.${(strangers += 1) >> 8}.${strangers & 255}`;

/** One request on a connection of its own, with exactly these headers. */
function send(method, path, headers = {}, body = undefined, from = stranger()) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: "127.0.0.1", port: box.daemon.port, localAddress: from, agent: false, method, path, headers });
    const done = (response, text) => {
      const answer = { status: response.statusCode, headers: response.headers, text };
      answers.push(`${method} ${path}: ${response.statusCode} ${JSON.stringify(response.headers)} ${text}`);
      resolve(answer);
    };
    request.on("response", (response) => {
      const pieces = [];
      response.on("data", (piece) => pieces.push(piece));
      response.on("error", reject);
      response.on("end", () => done(response, Buffer.concat(pieces).toString("latin1")));
    });
    request.on("upgrade", (response, socket) => {
      socket.destroy();
      done(response, "");
    });
    request.on("error", reject);
    request.setTimeout(30_000, () => request.destroy(new Error(`${method} ${path} hangs`)));
    request.end(body);
  });
}

const bearer = (token) => ({ Authorization: `Bearer ${token}` });
const json = { "Content-Type": "application/json" };
const upgrade = { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13" };
const ping = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" });
const initialize = JSON.stringify({
  jsonrpc: "2.0", id: 1, method: "initialize", params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } },
});
const discover = JSON.stringify({
  jsonrpc: "2.0", id: 1, method: "server/discover",
  params: { _meta: { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} } },
});

describe("the doors of MCP", () => {
  test("without a token, or with a wrong one, every method of /mcp is 401 with plain Bearer", async () => {
    for (const path of ["/mcp", "/mcp/"]) {
      for (const credentials of [{}, bearer(wrong), bearer(owner.slice(0, -1)), { Authorization: `Basic ${owner}` }]) {
        for (const [method, headers, body] of [
          ["GET", {}], ["GET", { Accept: "text/event-stream" }], ["GET", upgrade], ["DELETE", {}], ["OPTIONS", {}], ["PUT", json, "{}"],
          ["PATCH", json, "{}"], ["HEAD", {}], ["POST", json, initialize], ["POST", json, discover],
          ["POST", { ...json, "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "server/discover" }, discover], ["POST", {}, "x"],
        ]) {
          const answer = await send(method, path, { ...headers, ...credentials }, body);
          const what = `${method} ${path} ${JSON.stringify(headers)} ${JSON.stringify(credentials)}`;
          assert.equal(answer.status, 401, what);
          assert.equal(answer.headers["www-authenticate"], "Bearer", what);
        }
      }
    }
  });

  test("the control socket, which asks for no token, is for the daemon's user alone", () => {
    assert.equal(statSync(join(box.daemon.dataDir, "control.sock")).mode & 0o777, 0o600);
  });

  test("a token in the query is no token", async () => {
    for (const path of ["/mcp", "/jobs", "/ws", "/vnc", "/api/state"]) {
      assert.equal((await send("GET", `${path}?token=${owner}`)).status, 401, path);
      assert.equal((await send("GET", `${path}?ticket=${owner}`)).status, 401, path);
    }
  });

  test("/mcp/ answers as /mcp does", async () => {
    for (const path of ["/mcp", "/mcp/"]) {
      const answer = await send("POST", path, { ...json, ...bearer(owner) }, ping);
      assert.equal(answer.status, 200, path);
      assert.deepEqual(JSON.parse(answer.text), { jsonrpc: "2.0", id: 1, result: {} });
    }
  });

  test("where clients look for OAuth is 404 with JSON, for everybody and every method", async () => {
    for (const path of [
      "/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp",
      "/.well-known/oauth-authorization-server", "/.well-known/oauth-authorization-server/mcp",
      "/.well-known/openid-configuration", "/.well-known/openid-configuration/mcp",
      "/mcp/.well-known/oauth-protected-resource", "/mcp/.well-known/oauth-authorization-server", "/mcp/.well-known/openid-configuration",
    ]) {
      for (const method of ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]) {
        for (const credentials of [{}, bearer(wrong), bearer(owner), bearer(look)]) {
          const answer = await send(method, path, credentials);
          assert.equal(answer.status, 404, `${method} ${path}`);
          assert.equal(answer.headers["www-authenticate"], undefined);
          assert.match(answer.headers["content-type"], /^application\/json/);
          if (method === "HEAD") assert.equal(answer.text, "");
          else assert.equal(JSON.parse(answer.text).error.code, "not_found");
        }
      }
    }
    // What a client would do next.
    assert.equal((await send("POST", "/register", json, "{}")).status, 404);
  });

  test("the answer to a HEAD has no body, so the connection goes on", async () => {
    const socket = net.connect(box.daemon.port, "127.0.0.1");
    let text = "";
    socket.on("data", (piece) => { text += piece; });
    const closed = new Promise((resolve, reject) => socket.on("close", resolve).on("error", reject));
    const head = (path) => `HEAD ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    socket.write(`${head("/nothing")}${head("/mcp")}${head("/.well-known/openid-configuration")}GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    await within(30_000, "the connection ends", closed);
    assert.deepEqual(text.split(/^HTTP\/1\.1 /m).slice(1).map((answer) => [Number(answer.slice(0, 3)), answer.split("\r\n\r\n")[1]]),
      [[404, ""], [401, ""], [404, ""], [200, '{"alive":true}']]);
  });

  test("a POST that does not say application/json is 415, also when it is empty", async () => {
    for (const [path, type, body, status] of [
      ["/mcp", "application/json", ping, 200], ["/mcp", "application/json; charset=utf-8", ping, 200],
      ["/mcp", "Application/JSON;charset=UTF-8", ping, 200], ["/mcp", "application/jsonx", ping, 415], ["/mcp", "application/json-rpc", ping, 415],
      ["/mcp", "text/plain", ping, 415], ["/mcp", "text/plain;application/json", ping, 415], ["/mcp", "application/x-www-form-urlencoded", ping, 415],
      ["/mcp", undefined, ping, 415], ["/mcp", undefined, "", 415], ["/mcp", "text/plain", "", 415],
      ["/rpc", "application/json", ping, 200], ["/rpc", "application/jsonx", ping, 415], ["/rpc", undefined, "", 415],
      ["/schedule", undefined, "", 415], ["/schedule", "text/plain", "{}", 415], ["/api/chat", "text/plain", "{}", 415],
      ["/api/ticket", undefined, "{}", 415], ["/api/login", "text/plain", JSON.stringify({ token: owner }), 415], ["/api/login", undefined, "", 415],
      ["/cancel/j-none", undefined, "", 404], ["/cancel/j-none", "text/plain", "x", 415], ["/api/logout", undefined, "", 200],
    ]) {
      const answer = await send("POST", path, { ...bearer(owner), ...(type === undefined ? {} : { "Content-Type": type }) }, body);
      assert.equal(answer.status, status, `POST ${path} ${type} ${JSON.stringify(body)}: ${answer.text}`);
    }
  });

  test("a foreign Host or Origin is 403 before anything else, also of a WebSocket", async () => {
    const { port } = box.daemon;
    const login = await send("POST", "/api/login", json, JSON.stringify({ token: owner }));
    const cookie = { Cookie: login.headers["set-cookie"][0].split(";")[0] };
    const host = `localhost:${port}`;
    for (const [headers, status] of [
      [{ Host: host }, 200], [{ Host: `127.0.0.1:${port}` }, 200], [{ Host: "[::1]:1" }, 200], [{ Host: host, Origin: `http://${host}` }, 200],
      [{ Host: "evil.example" }, 403], [{ Host: `evil.example:${port}` }, 403], [{ Host: `localhost.evil.example:${port}` }, 403],
      [{ Host: `0.0.0.0:${port}` }, 403], [{ Host: host, Origin: "http://evil.example" }, 403], [{ Host: host, Origin: "null" }, 403],
      [{ Host: host, Origin: host }, 403], [{ Host: host, Origin: "" }, 403], [{ Host: host, Origin: "http://[" }, 403],
      [{ Host: host, Origin: `http://localhost:${port + 1}` }, 403], [{ Host: "evil.example", Origin: "http://evil.example" }, 403],
    ]) {
      const what = JSON.stringify(headers);
      assert.equal((await send("POST", "/rpc", { ...json, ...cookie, ...headers }, ping)).status, status, `/rpc ${what}`);
      assert.equal((await send("GET", "/jobs", { ...cookie, ...headers })).status, status, `/jobs ${what}`);
      for (const path of ["/ws", "/mcp", "/vnc"]) {
        assert.equal((await send("GET", path, { ...upgrade, ...cookie, ...headers })).status, status === 200 ? 101 : 403, `${path} ${what}`);
      }
      if (status === 403) {
        for (const path of ["/ws", "/mcp", "/vnc"]) {
          assert.equal((await send("GET", path, { ...upgrade, ...headers })).status, 403, `${path} without a login ${what}`);
        }
        assert.equal((await send("POST", "/rpc", { ...headers }, "no JSON")).status, 403, `a bad POST ${what}`);
        assert.equal((await send("POST", "/api/login", { ...json, ...headers }, JSON.stringify({ token: owner }))).status, 403, `login ${what}`);
      }
    }
  });
});

describe("profiles", () => {
  test("tokens of smaller profiles reach the tools' doors and nothing else", async () => {
    for (const [method, path, full] of [
      ["GET", "/jobs", 200], ["POST", "/schedule", 400], ["GET", "/status/j-none", 404], ["POST", "/cancel/j-none", 404],
      ["GET", "/download/j-none", 404], ["GET", "/jobs/j-none/events", 404], ["GET", "/api/state", 200], ["GET", "/api/conversations", 200],
      ["GET", "/api/conversations/c-none/events", 404], ["GET", "/api/blobs/none", 404], ["POST", "/api/chat", 400],
      ["DELETE", "/api/conversations/c-none", 404], ["PATCH", "/api/conversations/c-none", 400], ["POST", "/api/conversations/c-none/fork", 404],
      ["POST", "/api/conversations/c-none/rewind", 400], ["GET", "/api/conversations/c-none/export", 404], ["POST", "/api/ticket", 400],
      ["GET", "/vnc", 400], ["POST", "/api/logout", 200], ["DELETE", "/jobs", 405], ["PUT", "/download/j-none", 405],
    ]) {
      const body = method === "POST" ? "{}" : undefined;
      for (const token of [look, desktop, code]) {
        const answer = await send(method, path, { ...json, ...bearer(token) }, body);
        assert.equal(answer.status, 403, `${method} ${path} with ${token}`);
        assert.match(answer.text, /(look|desktop|code)-only.*needs a token of the profile full/);
      }
      for (const token of [owner, second]) {
        assert.equal((await send(method, path, { ...json, ...bearer(token) }, body)).status, full, `${method} ${path} with ${token}`);
      }
    }
    for (const [method, path] of [["GET", "/lease"], ["POST", "/lease/take"], ["POST", "/lease/release"]]) {
      const ask = (token) => send(method, path, { ...json, ...bearer(token) }, method === "POST" ? "{}" : undefined);
      for (const token of [look, code]) {
        const answer = await ask(token);
        assert.equal(answer.status, 403, `${method} ${path} with ${token}`);
        assert.match(answer.text, /(look|code)-only.*needs one of the profile desktop-only or full/);
      }
      assert.equal((await ask(desktop)).status, 200, `${method} ${path}`);
    }
    for (const token of [look, desktop, code, second, owner]) {
      for (const path of ["/mcp", "/rpc"]) assert.equal((await send("POST", path, { ...json, ...bearer(token) }, ping)).status, 200, path);
      for (const path of ["/ws", "/mcp"]) assert.equal((await send("GET", path, { ...upgrade, ...bearer(token) })).status, 101, path);
      for (const path of ["/", "/healthz"]) assert.equal((await send("GET", path, bearer(token))).status, 200, path);
    }
  });

  test("the page lets full tokens in, each with its own cookie", async () => {
    const login = (token) => send("POST", "/api/login", json, JSON.stringify({ token }));
    for (const token of [look, desktop, code]) {
      const answer = await login(token);
      assert.equal(answer.status, 403);
      assert.equal(answer.headers["set-cookie"], undefined);
      assert.match(answer.text, /(look|desktop|code)-only.*the page needs a token of the profile full/);
    }
    const cookies = [];
    for (const token of [owner, second]) {
      const answer = await login(token);
      assert.equal(answer.status, 200);
      assert.match(answer.headers["set-cookie"][0], /^selfagent=[0-9a-f]{64}; HttpOnly; SameSite=Strict; Path=\/; Max-Age=31536000$/);
      const Cookie = answer.headers["set-cookie"][0].split(";")[0];
      cookies.push(Cookie);
      assert.equal((await send("GET", "/api/state", { Cookie })).status, 200);
    }
    assert.notEqual(cookies[0], cookies[1]);
  });
});

describe("guessing", () => {
  const doors = [
    ["GET", "/mcp", {}], ["POST", "/mcp", json, ping], ["POST", "/rpc", json, ping], ["GET", "/ws", upgrade], ["GET", "/vnc", upgrade],
    ["GET", "/jobs", {}], ["GET", "/download/j-none", {}], ["DELETE", "/mcp", {}],
  ];

  test("after five wrong tokens an address waits, on every door, and the right token passes at once", async () => {
    for (const [method, path, headers, body] of doors) {
      const from = stranger();
      const guess = (token) => send(method, path, { ...headers, ...bearer(token) }, body, from);
      for (let i = 0; i < 5; i += 1) assert.equal((await guess(`${wrong}-${i}`)).status, 401, `${method} ${path}`);
      const late = await guess(wrong);
      assert.equal(late.status, 429, `${method} ${path}`);
      assert.match(late.headers["retry-after"], /^([1-9]|[1-5]\d|60)$/);
      assert.match(late.text, /the right one passes at once/);
      assert.equal((await send("POST", "/api/login", json, JSON.stringify({ token: wrong }), from)).status, 429);
      assert.equal((await send(method, path, headers, body, from)).status, 401, "without any token nothing is guessed");
      assert.equal((await send("POST", "/rpc", { ...json, ...bearer(owner) }, ping, from)).status, 200);
      assert.equal((await guess(wrong)).status, 401, "counted anew after the right token");
    }
  });

  test("the login is slowed down in the same way", async () => {
    const from = stranger();
    const login = (token) => send("POST", "/api/login", json, JSON.stringify({ token }), from);
    for (let i = 0; i < 5; i += 1) assert.equal((await login(wrong)).status, 401);
    assert.equal((await login(wrong)).status, 429);
    assert.equal((await send("GET", "/mcp", bearer(wrong), undefined, from)).status, 429);
    assert.equal((await login(owner)).status, 200);
  });
});

describe("tickets", () => {
  async function ticketFor(path, headers = bearer(owner)) {
    const answer = await box.daemon.post("/api/ticket", { path }, { headers });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers.get("cache-control"), "no-store");
    tickets.push(answer.body.ticket);
    return answer.body;
  }
  async function finishedJob() {
    const { body } = await box.daemon.post("/schedule", { kind: "shell", code: "echo for the ticket" });
    await box.daemon.finished(body.job_id);
    return body.job_id;
  }

  test("a ticket opens one download, once", async () => {
    const job = await finishedJob();
    const { ticket, url, expires_in_s } = await ticketFor(`/download/${job}`);
    assert.match(ticket, /^[0-9a-f]{32}$/);
    assert.equal(url, `/download/${job}?ticket=${ticket}`);
    assert.equal(expires_in_s, 60);
    for (const [method, path, headers, status] of [
      ["GET", `/download/j-none?ticket=${ticket}`, {}, 401], ["GET", `/jobs/${job}/events?ticket=${ticket}`, {}, 401],
      ["GET", `/vnc?ticket=${ticket}`, upgrade, 401], ["GET", `/jobs?ticket=${ticket}`, {}, 401], ["GET", `/download/${job}/?ticket=${ticket}`, {}, 401],
      ["POST", url, json, 401], ["HEAD", url, {}, 401], ["DELETE", url, {}, 401],
      ["GET", url, { Host: "evil.example" }, 403], ["GET", url, { Origin: "http://evil.example" }, 403], ["GET", url, { Origin: "null" }, 403],
    ]) {
      const answer = await send(method, path, headers);
      assert.equal(answer.status, status, `${method} ${path.replace(ticket, "…")}`);
    }
    const zip = await send("GET", url);
    assert.equal(zip.status, 200);
    assert.equal(zip.headers["content-type"], "application/zip");
    assert.equal(zip.text.slice(0, 2), "PK");
    const again = await send("GET", url);
    assert.equal(again.status, 401);
    assert.match(again.text, /the ticket was used, is older than a minute or is for another address/);
  });

  test("a ticket opens the live desktop and a job's events, without headers", async () => {
    const vnc = await ticketFor("/vnc");
    const socket = await box.daemon.webSocket(vnc.url, { protocols: ["binary"], headers: {} });
    await until("the X server greets", () => socket.messages[0]?.text.startsWith("RFB 003."));
    await socket.close();
    await assert.rejects(box.daemon.webSocket(vnc.url, { headers: {} }), { status: 401 });
    const foreign = await ticketFor("/vnc");
    await assert.rejects(box.daemon.webSocket(foreign.url, { headers: {}, origin: "http://evil.example" }), { status: 403 });

    const job = await finishedJob();
    const events = await send("GET", (await ticketFor(`/jobs/${job}/events`)).url);
    assert.equal(events.status, 200);
    assert.match(events.text, /for the ticket/);
  });

  test("the cookie gives tickets too, and only for what a browser opens without headers", async () => {
    const login = await send("POST", "/api/login", json, JSON.stringify({ token: second }));
    const cookie = { Authorization: "", Cookie: login.headers["set-cookie"][0].split(";")[0] };
    await ticketFor("/vnc", cookie);
    for (const path of ["", "/", "vnc", "/mcp", "/ws", "/jobs", "/api/state", "/download", "/download/a/b", "/download/a?x", "/download/%61", "/vnc#x"]) {
      const answer = await box.daemon.post("/api/ticket", { path });
      assert.equal(answer.status, 400, path);
      assert.match(answer.text, /\/vnc/);
    }
    for (const body of [{}, { path: 1 }, { path: "/vnc", more: 1 }, []]) {
      assert.equal((await box.daemon.post("/api/ticket", body)).status, 400, JSON.stringify(body));
    }
  });
});

test("no token and no ticket is ever written down", async () => {
  for (const body of [`{"token":"${owner}`, `"${owner}"`, `{"token":["${owner}"]}`]) {
    assert.equal((await send("POST", "/api/login", json, body)).status, 400);
  }
  for (const path of [`/nothing?token=${owner}`, `/.well-known/openid-configuration?token=${owner}`, `/?token=${owner}`]) {
    await send("GET", path);
    await send("POST", path, json, "{}");
  }
  const log = box.daemon.output();
  assert.match(log, /had a wrong token \(5 in a row\)/);
  assert.match(log, /the token "coder" is code-only/);
  assert.ok(answers.length > 500, `${answers.length} answers`);
  const used = new Set(tickets);
  assert.ok(used.size >= 5 && used.size === tickets.length);
  for (const secret of [owner, look, desktop, code, second, wrong, ...tickets]) {
    assert.ok(!log.includes(secret), `the log has ${secret}`);
    // The request's own path is in front of each answer.
    const said = answers.map((answer) => answer.slice(answer.indexOf(": "))).find((answer) => answer.includes(secret));
    assert.equal(said, undefined);
  }
});

describe("mistakes at the start", () => {
  async function serve({ file, mode = 0o600, args = [], env = {} }) {
    const folder = join(box.folder, `start-${(strangers += 1)}`);
    mkdirSync(folder);
    const path = join(folder, "tokens.json");
    if (file !== undefined) {
      writeFileSync(path, file);
      chmodSync(path, mode);
      args = ["--token-file", path, ...args];
    }
    const { code: status, out, err } = await run(binary, ["serve", "--data-dir", join(folder, "data"), "--listen", "127.0.0.1:0", "--display", box.desktop.name, ...args], {
      env: { PATH: process.env.PATH, HOME: folder, SELFAGENT_TOKEN: owner, ...env },
    });
    return { status, text: out + err, path };
  }
  const entry = (more) => JSON.stringify({ tokens: [{ name: "ci", token: look, profile: "look-only", ...more }] });

  test("each names the file, the entry and what to do", async () => {
    for (const [options, expected] of [
      [{ file: `{"tokens":[{"token":"${look}` }, /^selfagent: the token file \S+tokens\.json: it is not valid JSON at line 1, column \d+/m],
      [{ file: entry({ admin: true }) }, /tokens\.json: tokens\[0\]: unknown member "admin" \(known: approve, name, profile, sha256, token\)/],
      [{ file: entry({ profile: "look" }) }, /tokens\[0\] \("ci"\): unknown profile "look" \(known: full, look-only, desktop-only, code-only\)/],
      [{ file: entry({ token: "short" }) }, /tokens\[0\] \("ci"\): a token must have at least 16 characters/],
      [{ file: entry({ token: owner }) }, /tokens\[0\]: "ci" has the same token as "owner"/],
      [{ file: entry({ name: "owner" }) }, /tokens\[0\]: the name "owner" is taken/],
      [{ file: entry({ approve: ["shel"] }) }, /tokens\[0\] \("ci"\): "approve": there is no tool "shel", did you mean "shell"\?/],
      [{ file: entry({}), mode: 0o644 }, /others than its owner may use it: `chmod 600 \S+tokens\.json`/],
      [{ file: entry({}), args: ["--no-auth"] }, /--no-auth makes everybody the owner and --token-file tells them apart/],
      [{ args: ["--token-file", "/nowhere/tokens.json"] }, /the token file \/nowhere\/tokens\.json cannot be opened: No such file or directory/],
      [{ args: ["--approve", "shell,clikc"] }, /--approve \(SELFAGENT_APPROVE\): there is no tool "clikc", did you mean "click"\?/],
      [{ env: { SELFAGENT_APPROVE: "shell,clikc" } }, /--approve \(SELFAGENT_APPROVE\): there is no tool "clikc", did you mean "click"\?/],
    ]) {
      const { status, text } = await serve(options);
      assert.equal(status, 1, text);
      assert.match(text, expected);
      for (const secret of [owner, look]) assert.ok(!text.includes(secret), text);
    }
  });
});
