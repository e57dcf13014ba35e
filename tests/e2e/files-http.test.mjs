// Files over plain HTTP: /files/PATH, as curl, a browser or a script uses it.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { describe } from "node:test";
import { put, test, until, useBox } from "./harness.mjs";
import { bearer, prepareTokens, tokens } from "./wire.mjs";

const box = useBox({ desktop: false, prepare: prepareTokens });

/** One request whose path is sent as it is written: {status, headers, body (bytes), text, json}. `send(request)` writes the body. */
function ask(method, path, { daemon = box.daemon, headers = daemon.bearer, body, send, more = {} } = {}) {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ port: daemon.port, host: "127.0.0.1", method, path, headers: { ...headers, ...more }, timeout: 30_000 }, (response) => {
      const pieces = [];
      response.on("data", (piece) => pieces.push(piece));
      response.on("error", reject);
      response.on("end", () => {
        const bytes = Buffer.concat(pieces);
        let json;
        try {
          json = JSON.parse(bytes.toString());
        } catch {
          // Not every answer is JSON.
        }
        resolve({ status: response.statusCode, headers: response.headers, body: bytes, text: bytes.toString(), json });
      });
    });
    request.on("error", reject);
    if (send) send(request);
    else request.end(body);
  });
}

const inWorkspace = (name) => join(box.daemon.workspace, name);
const hidden = (folder = box.daemon.workspace) => readdirSync(folder).filter((name) => name.startsWith(".selfagent-"));

/** A raw connection: what has come is in `text`. */
function raw(head) {
  const socket = connect(box.daemon.port, "127.0.0.1");
  const client = { socket, text: "", ended: false };
  socket.on("data", (piece) => { client.text += piece; });
  socket.on("close", () => { client.ended = true; });
  socket.on("error", () => {});
  socket.write(head.join("\r\n") + "\r\n\r\n");
  return client;
}
const authorization = () => `Authorization: Bearer ${box.daemon.token}`;

describe("GET and HEAD", () => {
  test("a file comes whole, with its version, and not again when it is the same", async () => {
    put(box, "notes.txt", "hello world\n");
    const got = await ask("GET", "/files/notes.txt");
    assert.equal(got.status, 200);
    assert.equal(got.text, "hello world\n");
    assert.equal(got.headers["content-type"], "text/plain; charset=utf-8");
    assert.equal(got.headers["content-length"], "12");
    assert.equal(got.headers["accept-ranges"], "bytes");
    assert.equal(got.headers["x-content-type-options"], "nosniff");
    assert.match(got.headers["content-security-policy"], /^sandbox/);
    assert.equal(got.headers["content-disposition"], undefined);
    assert.equal(got.headers["last-modified"], statSync(inWorkspace("notes.txt")).mtime.toUTCString());
    assert.match(got.headers.etag, /^"[0-9a-f-]+"$/);

    const head = await ask("HEAD", "/files/notes.txt");
    assert.deepEqual([head.status, head.headers["content-length"], head.headers.etag, head.text], [200, "12", got.headers.etag, ""]);
    for (const tag of [got.headers.etag, `"x", ${got.headers.etag}`, `W/${got.headers.etag}`, "*"]) {
      const same = await ask("GET", "/files/notes.txt", { more: { "If-None-Match": tag } });
      assert.deepEqual([same.status, same.text, same.headers.etag], [304, "", got.headers.etag], tag);
    }
    assert.equal((await ask("GET", "/files/notes.txt", { more: { "If-Modified-Since": got.headers["last-modified"] } })).status, 304);
    assert.equal((await ask("GET", "/files/notes.txt", { more: { "If-Match": '"other"' } })).status, 412);
    assert.equal((await ask("GET", "/files/notes.txt", { more: { "If-Match": got.headers.etag } })).status, 200);
    writeFileSync(inWorkspace("notes.txt"), "HELLO WORLD\n");
    const changed = await ask("GET", "/files/notes.txt", { more: { "If-None-Match": got.headers.etag } });
    assert.deepEqual([changed.status, changed.text], [200, "HELLO WORLD\n"]);
  });

  test("ranges", async () => {
    put(box, "ten", "0123456789");
    const { etag } = (await ask("HEAD", "/files/ten")).headers;
    for (const [range, status, text, part] of [
      ["bytes=0-3", 206, "0123", "bytes 0-3/10"], ["bytes=7-", 206, "789", "bytes 7-9/10"], ["bytes=-2", 206, "89", "bytes 8-9/10"],
      ["bytes=5-99", 206, "56789", "bytes 5-9/10"], ["bytes=-99", 206, "0123456789", "bytes 0-9/10"], ["BYTES=9-9", 206, "9", "bytes 9-9/10"],
      ["bytes=10-", 416, undefined, "bytes */10"], ["bytes=-0", 416, undefined, "bytes */10"],
      // Several, or none that can be read: the whole file.
      ["bytes=0-1,4-5", 200, "0123456789"], ["bytes=5-2", 200, "0123456789"], ["lines=1-2", 200, "0123456789"], ["bytes=a-b", 200, "0123456789"],
    ]) {
      const got = await ask("GET", "/files/ten", { more: { Range: range } });
      assert.equal(got.status, status, range);
      assert.equal(got.headers["content-range"], part, range);
      if (text !== undefined) assert.equal(got.text, text, range);
    }
    assert.equal((await ask("GET", "/files/ten", { more: { Range: "bytes=1-2", "If-Range": etag } })).text, "12");
    assert.equal((await ask("GET", "/files/ten", { more: { Range: "bytes=1-2", "If-Range": '"old"' } })).text, "0123456789");
    const head = await ask("HEAD", "/files/ten", { more: { Range: "bytes=1-2" } });
    assert.deepEqual([head.status, head.headers["content-length"]], [206, "2"]);
    put(box, "empty", "");
    const empty = await ask("GET", "/files/empty");
    assert.deepEqual([empty.status, empty.text, empty.headers["content-length"]], [200, "", "0"]);
    assert.equal((await ask("GET", "/files/empty", { more: { Range: "bytes=0-" } })).status, 416);
  });

  test("what a browser would run is an attachment, and names survive in it", async () => {
    for (const [name, type, attached] of [
      ["a.html", "text/html; charset=utf-8", true], ["a.svg", "image/svg+xml", true], ["a.js", "text/plain; charset=utf-8", false],
      ["a.PNG", "image/png", false], ["a.unknown", "application/octet-stream", false], ["a", "application/octet-stream", false],
    ]) {
      put(box, name, "<script>alert(1)</script>");
      const { headers } = await ask("GET", `/files/${name}`);
      assert.equal(headers["content-type"], type, name);
      assert.equal(headers["content-disposition"]?.startsWith("attachment") ?? false, attached, name);
      assert.equal(headers["x-content-type-options"], "nosniff");
      assert.match(headers["content-security-policy"], /^sandbox/);
    }
    put(box, "naïve \"%\" €.txt", "x");
    const got = await ask("GET", `/files/${encodeURIComponent('naïve "%" €.txt')}?download=1`);
    assert.equal(got.headers["content-disposition"],
                 `attachment; filename="na_ve ___ _.txt"; filename*=UTF-8''na%C3%AFve%20%22%25%22%20%E2%82%AC.txt`);
  });

  test("many megabytes come as they are, while the daemon stays small", async () => {
    const bytes = randomBytes(1 << 20);
    const name = inWorkspace("large.bin");
    writeFileSync(name, bytes);
    for (let at = 1; at < 96; at += 1) writeFileSync(name, bytes, { flag: "a" });
    const peak = () => Number(readFileSync(`/proc/${box.daemon.child.pid}/status`, "utf8").match(/VmHWM:\s+(\d+)/)[1]);
    const before = peak();
    const hash = createHash("sha256");
    const response = await box.daemon.fetch("/files/large.bin");
    let size = 0;
    for await (const piece of response.body) {
      hash.update(piece);
      size += piece.length;
    }
    assert.equal(size, 96 << 20);
    assert.equal(hash.digest("hex"), createHash("sha256").update(readFileSync(name)).digest("hex"));
    assert.ok(peak() - before < 32 << 10, `${peak() - before} kB more`);
    const tail = await ask("GET", "/files/large.bin", { more: { Range: `bytes=${(96 << 20) - 5}-` } });
    assert.deepEqual(tail.body, bytes.subarray(-5));
    rmSync(name);
  });

  test("a file that is cut while it is sent ends the connection before the announced length", async () => {
    truncateSync(put(box, "shrinks", ""), 256 << 20);
    await assert.rejects(new Promise((resolve, reject) => {
      httpRequest({ port: box.daemon.port, host: "127.0.0.1", path: "/files/shrinks", headers: box.daemon.bearer }, (response) => {
        response.once("readable", () => {
          truncateSync(inWorkspace("shrinks"), 0);
          response.resume();
        });
        response.on("error", reject);
        response.on("end", resolve);
      }).on("error", reject).end();
    }), /aborted|ECONNRESET/);
  });

  test("a folder is a list whose addresses lead on", async () => {
    put(box, "listed/sub/x", "x");
    put(box, "listed/a b#?.txt", "odd");
    symlinkSync("a b#?.txt", inWorkspace("listed/link"));
    writeFileSync(Buffer.concat([Buffer.from(inWorkspace("listed/")), Buffer.from([0xff, 0x41])]), "not UTF-8");
    const got = await ask("GET", "/files/listed");
    assert.equal(got.status, 200);
    assert.deepEqual(got.json.entries.map(({ name, type, size }) => [name, type, type === "file" ? size : 0]),
                     [["a b#?.txt", "file", 3], ["link", "symlink", 0], ["sub", "folder", 0], ["\ufffdA", "file", 9]]);
    assert.equal((await ask("GET", got.json.entries[0].url)).text, "odd");
    assert.equal((await ask("GET", got.json.entries[1].url)).text, "odd");
    assert.equal((await ask("GET", got.json.entries[2].url)).json.entries[0].name, "x");
    assert.equal((await ask("GET", got.json.entries[3].url)).text, "not UTF-8");
    for (const root of ["/files", "/files/"]) {
      assert.ok((await ask("GET", root)).json.entries.some(({ name }) => name === "listed"), root);
    }
  });
});

describe("paths", () => {
  test("workspace, home and absolute ones; nothing else", async () => {
    put(box, "here.txt", "workspace");
    writeFileSync(join(box.daemon.env.HOME, "there.txt"), "home");
    assert.equal((await ask("GET", "/files/here.txt")).text, "workspace");
    assert.equal((await ask("GET", "/files/~/there.txt")).text, "home");
    assert.equal((await ask("GET", `/files/${inWorkspace("here.txt")}`)).text, "workspace");
    assert.equal((await ask("GET", `/files/${encodeURIComponent(inWorkspace("here.txt"))}`)).text, "workspace");
    for (const [path, status, words] of [
      ["/files/../home/there.txt", 400, /segment "\.\."/], ["/files/%2e%2e/home/there.txt", 400, /segment "\.\."/],
      ["/files/x/..%2f..", 400, /segment "\.\."/], ["/files/./here.txt", 400, /segment "\."/], ["/files/here.txt%00", 400, /NUL/],
      ["/files/" + "n".repeat(300), 400, /too long/i], ["/files/" + "d/".repeat(3000), 400, /too long/i], ["/files/here.txt/x", 404, /not a folder/],
      ["/files/missing", 404, /does not exist/], ["/files/..%5Chome", 404, /does not exist/],
    ]) {
      const got = await ask("GET", path);
      assert.equal(got.status, status, `${path.slice(0, 60)}: ${got.text}`);
      assert.match(got.json.error.message, words);
    }
  });

  test("what is not a file is refused and never waited for", async () => {
    execFileSync("mkfifo", [inWorkspace("fifo")]);
    execFileSync("python3", ["-c", `import socket; socket.socket(socket.AF_UNIX).bind("${inWorkspace("socket")}")`]);
    symlinkSync("/proc/self/environ", inWorkspace("to-proc"));
    symlinkSync("/dev/zero", inWorkspace("to-zero"));
    symlinkSync("loop", inWorkspace("loop"));
    const { dataDir } = box.daemon;
    symlinkSync(dataDir, inWorkspace("pocket"));
    const before = readdirSync(dataDir);
    for (const [path, status] of [
      ["fifo", 409], ["socket", 409], ["to-zero", 409], ["/dev/null", 409], ["/dev", 403], ["to-proc", 403], ["loop", 400],
      ["/proc/self/environ", 403], ["/proc/1/root/etc/passwd", 403], ["/proc", 403], ["/sys", 403], ["/sys/kernel/uevent_seqnum", 403],
      [`${dataDir}/token`, 403], ["pocket/token", 403], [dataDir, 403], ["pocket", 403],
    ]) {
      const got = await ask("GET", `/files/${path}`);
      assert.equal(got.status, status, `GET ${path}: ${got.text}`);
      assert.ok(!got.text.includes(box.daemon.token), path);
      const written = await ask("PUT", `/files/${path}`, { body: "x" });
      assert.ok([400, 403, 409].includes(written.status), `PUT ${path}: ${written.status} ${written.text}`);
    }
    for (const path of ["pocket/new", `${dataDir}/new`, "/dev/new", "/sys/new", "/proc/new", "pocket/new/deep"]) {
      assert.equal((await ask("PUT", `/files/${path}`, { body: "x" })).status, 403, `PUT ${path}`);
      assert.equal((await ask("PUT", `/files/${path}?resumable=1`, { body: "x" })).status, 403, `PUT ${path}`);
    }
    for (const path of [`${dataDir}/token`, "pocket/token", dataDir, `${dataDir}?recursive=1`, `${box.folder}?recursive=1`]) {
      assert.equal((await ask("DELETE", `/files/${path}`)).status, 403, `DELETE ${path}`);
    }
    assert.deepEqual(readdirSync(dataDir), before);
    assert.ok(lstatSync(inWorkspace("fifo")).isFIFO());
    // The link may go; what it leads to stays.
    assert.equal((await ask("DELETE", "/files/pocket")).status, 204);
    assert.ok(existsSync(dataDir));
  });
});

describe("PUT and DELETE", () => {
  test("a file is made with its folders, replaced with its mode, and has a version", async () => {
    const made = await ask("PUT", "/files/new/deep/a.txt", { body: "one" });
    assert.equal(made.status, 201, made.text);
    assert.deepEqual(made.json, { created: true, size: 3 });
    assert.equal(readFileSync(inWorkspace("new/deep/a.txt"), "utf8"), "one");
    assert.equal(statSync(inWorkspace("new/deep/a.txt")).mode & 0o777, 0o644);
    assert.equal((await ask("HEAD", "/files/new/deep/a.txt")).headers.etag, made.headers.etag);
    chmodSync(inWorkspace("new/deep/a.txt"), 0o750);
    const again = await ask("PUT", "/files/new/deep/a.txt", { body: "two2" });
    assert.deepEqual([again.status, again.json], [200, { created: false, size: 4 }]);
    assert.notEqual(again.headers.etag, made.headers.etag);
    assert.equal(statSync(inWorkspace("new/deep/a.txt")).mode & 0o777, 0o750);
    assert.equal(readFileSync(inWorkspace("new/deep/a.txt"), "utf8"), "two2");
    assert.deepEqual([(await ask("PUT", "/files/empty.txt", { body: "" })).status, statSync(inWorkspace("empty.txt")).size], [201, 0]);
    symlinkSync("new/deep/a.txt", inWorkspace("through"));
    assert.equal((await ask("PUT", "/files/through", { body: "linked" })).status, 200);
    assert.ok(lstatSync(inWorkspace("through")).isSymbolicLink());
    assert.equal(readFileSync(inWorkspace("new/deep/a.txt"), "utf8"), "linked");
    for (const path of ["new", "new/", ""]) {
      assert.ok([400, 409].includes((await ask("PUT", `/files/${path}`, { body: "x" })).status), path);
    }
    assert.deepEqual(hidden(), []);
    assert.deepEqual(hidden(inWorkspace("new/deep")), []);
  });

  test("many megabytes arrive as they are, in chunks or with a length, while the daemon stays small", async () => {
    const bytes = randomBytes(1 << 20);
    const peak = () => Number(readFileSync(`/proc/${box.daemon.child.pid}/status`, "utf8").match(/VmHWM:\s+(\d+)/)[1]);
    const before = peak();
    const hash = createHash("sha256");
    for (let at = 0; at < 96; at += 1) hash.update(bytes);
    const expected = hash.digest("hex");
    for (const more of [{}, { "Content-Length": 96 << 20 }]) {
      const got = await ask("PUT", "/files/arrived.bin", {
        more,
        send: async (request) => {
          for (let at = 0; at < 96; at += 1) {
            if (!request.write(bytes)) await new Promise((resolve) => request.once("drain", resolve));
          }
          request.end();
        },
      });
      assert.ok(got.status < 300, got.text);
      assert.equal(createHash("sha256").update(readFileSync(inWorkspace("arrived.bin"))).digest("hex"), expected);
    }
    assert.ok(peak() - before < 32 << 10, `${peak() - before} kB more`);
    rmSync(inWorkspace("arrived.bin"));
  });

  test("a version that is not the expected one is not replaced", async () => {
    const { headers: { etag } } = await ask("PUT", "/files/v.txt", { body: "first" });
    assert.equal((await ask("PUT", "/files/v.txt", { body: "x", more: { "If-None-Match": "*" } })).status, 412);
    assert.equal((await ask("PUT", "/files/v.txt", { body: "x", more: { "If-Match": '"other"' } })).status, 412);
    assert.equal((await ask("PUT", "/files/no/such.txt", { body: "x", more: { "If-Match": "*" } })).status, 412);
    assert.ok(!existsSync(inWorkspace("no")), "a refusal makes no folder");
    assert.equal((await ask("PUT", "/files/v.txt", { body: "second", more: { "If-Match": etag } })).status, 200);
    assert.equal((await ask("DELETE", "/files/v.txt", { more: { "If-Match": etag } })).status, 412);
    assert.equal(readFileSync(inWorkspace("v.txt"), "utf8"), "second");
    assert.equal((await ask("PUT", "/files/fresh.txt", { body: "x", more: { "If-None-Match": "*" } })).status, 201);

    // Someone else writes while the body is under way.
    let first;
    const late = ask("PUT", "/files/race.txt", { more: { "If-None-Match": "*", Expect: "100-continue" }, send: (request) => { first = request; request.flushHeaders(); } });
    await new Promise((resolve) => first.once("continue", resolve));
    writeFileSync(inWorkspace("race.txt"), "theirs");
    first.end("ours");
    assert.equal((await late).status, 412);
    assert.equal(readFileSync(inWorkspace("race.txt"), "utf8"), "theirs");
    assert.deepEqual(hidden(), []);
  });

  test("100-continue is said only when the body is wanted", async () => {
    const head = (path, ...more) => [`PUT /files/${path} HTTP/1.1`, "Host: localhost", "Content-Length: 5", "Expect: 100-continue", ...more];
    put(box, "there.txt", "x");
    for (const [lines, status] of [
      [head("e.txt"), 401], [head("../e.txt", authorization()), 400], [head("there.txt", authorization(), "If-None-Match: *"), 412],
      [head("/proc/x", authorization()), 403],
      [[`PUT /files/e.txt HTTP/1.1`, "Host: localhost", "Content-Length: 999999999999999", "Expect: 100-continue", authorization()], 507],
    ]) {
      const client = raw(lines);
      await until(`the end after ${status}`, () => client.ended);
      assert.match(client.text, new RegExp(`^HTTP/1.1 ${status} `), client.text);
      assert.ok(!client.text.includes("100 Continue"));
      assert.match(client.text, /^Connection: close\r$/m);
    }
    const client = raw(head("e.txt", authorization()));
    await until("100 Continue", () => client.text === "HTTP/1.1 100 Continue\r\n\r\n");
    client.socket.write("12345" + `GET /files/e.txt HTTP/1.1\r\nHost: localhost\r\n${authorization()}\r\n\r\n`);
    await until("both answers on one connection", () => /HTTP\/1.1 201 [^]*HTTP\/1.1 200 [^]*\r\n\r\n12345$/.test(client.text));
    client.socket.destroy();
  });

  test("a client that vanishes leaves nothing, not even folders", async () => {
    const before = readdirSync(box.daemon.workspace);
    const open = () => readdirSync(`/proc/${box.daemon.child.pid}/fd`).length;
    const quiet = open();
    const client = raw(["PUT /files/gone/deep/x HTTP/1.1", "Host: localhost", "Content-Length: 1000000", authorization()]);
    client.socket.write("half of it");
    await until("the upload has begun", () => existsSync(inWorkspace("gone/deep")));
    client.socket.destroy();
    await until("nothing is left", () => !existsSync(inWorkspace("gone")));
    assert.deepEqual(readdirSync(box.daemon.workspace), before);
    await until("no descriptor is left", () => open() <= quiet);
    const broken = raw(["PUT /files/chunks HTTP/1.1", "Host: localhost", "Transfer-Encoding: chunked", authorization(), "", "5\r\nhello\r\nnonsense"]);
    await until("the refusal", () => broken.ended);
    assert.match(broken.text, /^HTTP\/1.1 400 /);
    assert.ok(!existsSync(inWorkspace("chunks")));
  });

  test("deleting", async () => {
    put(box, "del/a", "x");
    put(box, "del/sub/b", "x");
    mkdirSync(inWorkspace("bare"));
    assert.equal((await ask("DELETE", "/files/del/a")).status, 204);
    assert.equal((await ask("DELETE", "/files/del/a")).status, 404);
    assert.equal((await ask("DELETE", "/files/bare")).status, 204);
    const full = await ask("DELETE", "/files/del");
    assert.equal(full.status, 409);
    assert.match(full.json.error.message, /not empty/);
    assert.equal((await ask("DELETE", "/files/del?recursive=1")).status, 204);
    assert.ok(!existsSync(inWorkspace("del")));
    for (const path of ["/files", "/files/", "/files/~?recursive=1", "/files//?recursive=1"]) {
      assert.equal((await ask("DELETE", path)).status, 403, path);
    }
  });

  const mount = () => {
    mkdirSync(inWorkspace("small"), { recursive: true });
    return spawnSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", inWorkspace("small")]).status === 0;
  };
  test("a full disk is 507, and nothing half-written is left", async (context) => {
    if (process.getuid() !== 0 || !mount()) return context.skip("only root can mount a small disk");
    try {
      put(box, "small/old.txt", "old");
      const bytes = randomBytes(1 << 20);
      const announced = await ask("PUT", "/files/small/big", { more: { "Content-Length": 64 << 20, Expect: "100-continue" }, send: (request) => request.flushHeaders() });
      assert.equal(announced.status, 507, announced.text);
      assert.match(announced.json.error.message, /do not fit, \d+ are free/);
      for (const path of ["small/big", "small/old.txt"]) {
        // Chunks do not tell their sum.
        const got = await ask("PUT", `/files/${path}`, {
          send: (request) => {
            request.on("error", () => {});
            for (let at = 0; at < 8; at += 1) request.write(bytes);
            request.end();
          },
        });
        assert.equal(got.status, 507, got.text);
        assert.match(got.json.error.message, /[Nn]o space/);
      }
      assert.deepEqual(readdirSync(inWorkspace("small")), ["old.txt"]);
      assert.equal(readFileSync(inWorkspace("small/old.txt"), "utf8"), "old");
      assert.equal((await ask("PUT", "/files/small/fits", { body: bytes })).status, 201);
    } finally {
      execFileSync("umount", [inWorkspace("small")]);
    }
  });
});

describe("who may", () => {
  test("tokens by profile, strangers and foreign pages", async () => {
    put(box, "mine.txt", "mine");
    for (const [token, status] of [[tokens.code, 200], [tokens.second, 200], [tokens.look, 403], [tokens.desktop, 403], ["wrong", 401]]) {
      for (const method of ["GET", "PUT"]) {
        const got = await ask(method, "/files/mine.txt", { headers: bearer(token), body: method === "PUT" ? "mine" : undefined });
        assert.equal(got.status, status, `${method} ${token}: ${got.text}`);
      }
    }
    assert.equal((await ask("GET", "/files/mine.txt", { headers: {} })).status, 401);
    assert.equal((await ask("DELETE", "/files/mine.txt", { headers: {} })).status, 401);
    assert.equal((await ask("PUT", "/files/mine.txt", { body: "x", more: { Origin: "http://evil.example" } })).status, 403);
    const post = await ask("POST", "/files/mine.txt", { body: "x" });
    assert.deepEqual([post.status, /PUT writes/.test(post.text)], [400, true]);
    assert.equal((await ask("PATCH", "/files/mine.txt", { body: "x" })).status, 405);
    assert.equal(readFileSync(inWorkspace("mine.txt"), "utf8"), "mine");
  });

  test("a ticket opens one file, once", async () => {
    put(box, "tick et.txt", "through a ticket");
    put(box, "other.txt", "other");
    const make = async (query = "") => (await ask("POST", `/files/tick%20et.txt?ticket=1${query}`, { headers: bearer(tokens.code) })).json;
    const made = await make();
    assert.equal(made.expires_in_s, 60);
    assert.match(made.url, /^\/files\/tick%20et\.txt\?ticket=[0-9a-f]{32}$/);
    const none = { headers: {} };
    assert.equal((await ask("GET", made.url.replace("tick%20et", "other"), none)).status, 401);
    assert.equal((await ask("PUT", made.url, { ...none, body: "x" })).status, 401);
    assert.equal((await ask("DELETE", made.url, none)).status, 401);
    const got = await ask("GET", `${made.url}&download=1`, none);
    assert.deepEqual([got.status, got.text], [200, "through a ticket"]);
    assert.match(got.headers["content-disposition"], /^attachment/);
    assert.equal((await ask("GET", made.url, none)).status, 401, "a second time");
    assert.equal((await make("&expires_in_s=1")).expires_in_s, 1);
    for (const bad of ["0", "3601", "x", "-1"]) {
      assert.equal((await ask("POST", `/files/other.txt?ticket=1&expires_in_s=${bad}`)).status, 400, bad);
    }
    assert.equal((await ask("POST", "/files/other.txt?ticket=1", { headers: bearer(tokens.look) })).status, 403);
  });
});

describe("a folder as a ZIP", () => {
  const unpack = (bytes) => {
    const file = join(box.folder, "got.zip");
    writeFileSync(file, bytes);
    const script = "import json,sys,zipfile\nz=zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\n" +
      "print(json.dumps({i.filename: [i.file_size, z.read(i).decode('latin1')[:200], i.external_attr >> 28] for i in z.infolist()}))";
    return JSON.parse(execFileSync("python3", ["-c", script, file]).toString());
  };

  test("it has everything but what is no file, links as links", async () => {
    put(box, "tree/a.txt", "first");
    put(box, "tree/sub/ünïcode €.txt", "second");
    put(box, "tree/sub/zeros", Buffer.alloc(5 << 20));
    mkdirSync(inWorkspace("tree/bare"));
    symlinkSync("/etc/passwd", inWorkspace("tree/link"));
    execFileSync("mkfifo", [inWorkspace("tree/fifo")]);
    const got = await ask("GET", "/files/tree?zip=1");
    assert.equal(got.status, 200);
    assert.equal(got.headers["content-type"], "application/zip");
    assert.equal(got.headers["transfer-encoding"], "chunked");
    assert.match(got.headers["content-disposition"], /filename="tree.zip"/);
    const found = unpack(got.body);
    assert.deepEqual(Object.keys(found).sort(), ["tree/a.txt", "tree/bare/", "tree/left-out.txt", "tree/link", "tree/sub/", "tree/sub/zeros", "tree/sub/ünïcode €.txt"]);
    assert.equal(found["tree/a.txt"][1], "first");
    assert.equal(found["tree/sub/zeros"][0], 5 << 20);
    assert.deepEqual(found["tree/link"].slice(1), ["/etc/passwd", 0xa]);
    assert.match(found["tree/left-out.txt"][1], /tree\/fifo: a FIFO/);
    assert.equal((await ask("GET", "/files/tree/a.txt?zip=1")).status, 409);
  });

  test("the daemon's own folder is left out", async () => {
    const got = await ask("GET", `/files/${box.folder}?zip=1`);
    const found = unpack(got.body);
    const top = box.folder.split("/").pop();
    assert.ok(!Object.keys(found).some((name) => name.startsWith(`${top}/data/`)), Object.keys(found).join());
    assert.match(found[`${top}/left-out.txt`][1], /data: the daemon's own folder/);
    assert.equal((await ask("GET", `/files/${box.daemon.dataDir}?zip=1`)).status, 403);
  });

  test("clients that go away half-way block nobody", async () => {
    put(box, "noise/a", randomBytes(24 << 20));
    for (let round = 0; round < 6; round += 1) {
      await new Promise((resolve) => {
        const request = httpRequest({ port: box.daemon.port, host: "127.0.0.1", path: "/files/noise?zip=1", headers: box.daemon.bearer }, (response) => {
          response.once("data", () => { response.destroy(); resolve(); });
          response.on("error", () => {});
        });
        request.on("error", () => {});
        request.end();
      });
    }
    const got = await ask("GET", "/files/noise?zip=1");
    assert.equal(unpack(got.body)["noise/a"][0], 24 << 20);
    rmSync(inWorkspace("noise"), { recursive: true });
  });
});

describe("uploads that go on", () => {
  const bytes = randomBytes(3 << 20);
  const offset = async (path) => Number((await ask("HEAD", `/files/${path}?upload=1`)).headers["upload-offset"]);

  test("a cut connection is resumed where it broke", async () => {
    assert.equal(await offset("resumed.bin"), 0);
    const client = raw(["PUT /files/resumed.bin?resumable=1 HTTP/1.1", "Host: localhost", `Content-Length: ${bytes.length}`, authorization()]);
    client.socket.write(bytes.subarray(0, 1_500_000));
    await until("a part has come", async () => (await offset("resumed.bin")) > 500_000);
    client.socket.destroy();
    // What was on its way may still arrive: the upload is over when its lock is free.
    let from;
    const resumed = await until("the rest is taken", async () => {
      from = await offset("resumed.bin");
      const got = await ask("PUT", "/files/resumed.bin", { body: bytes.subarray(from), more: { "Content-Range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` } });
      if (got.status === 409) assert.equal(got.headers["upload-length"], String(bytes.length));
      return got.status !== 409 && got;
    });
    assert.equal(resumed.status, 201, resumed.text);
    assert.ok(from > 0);
    assert.deepEqual(readFileSync(inWorkspace("resumed.bin")), bytes);
    assert.deepEqual(hidden(), []);
    assert.equal(await offset("resumed.bin"), 0);
  });

  test("parts are told apart by where they begin", async () => {
    const part = (from, to, total = 10) => ask("PUT", "/files/parts", { body: "0123456789".slice(from, to), more: { "Content-Range": `bytes ${from}-${to - 1}/${total}` } });
    const first = await part(0, 4);
    assert.deepEqual([first.status, first.json, first.headers["upload-offset"]], [202, { offset: 4, total: 10 }, "4"]);
    assert.ok(!existsSync(inWorkspace("parts")));
    const kept = await ask("GET", "/files/parts?upload=1");
    assert.deepEqual(kept.json, { offset: 4, total: 10 });
    for (const [from, to, total] of [[5, 8], [3, 8], [4, 8, 11]]) {
      const wrong = await part(from, to, total);
      assert.deepEqual([wrong.status, wrong.headers["upload-offset"], wrong.headers["upload-length"]], [409, "4", "10"]);
    }
    assert.equal((await part(4, 7)).status, 202);
    assert.equal((await part(7, 10)).status, 201);
    assert.equal(readFileSync(inWorkspace("parts"), "utf8"), "0123456789");
    assert.equal((await part(0, 4)).status, 202);
    // Whoever has the answer may send the next part: nothing of the last one is in its way.
    for (let round = 0; round < 100; round += 1) {
      const again = await part(0, 2);
      assert.deepEqual(again.json, { offset: 2, total: 10 }, "0 begins anew");
    }
    assert.equal((await ask("DELETE", "/files/parts?upload=1")).status, 204);
    assert.equal((await ask("DELETE", "/files/parts?upload=1")).status, 404);
    assert.equal(readFileSync(inWorkspace("parts"), "utf8"), "0123456789");
    for (const bad of ["bytes 5-4/10", "bytes 0-10/10", "lines 0-1/2", "bytes 0-1/*", "bytes x-1/2", "bytes 0-3/10, 5-6/10"]) {
      assert.equal((await ask("PUT", "/files/parts", { body: "ab", more: { "Content-Range": bad } })).status, 400, bad);
    }
    const long = await ask("PUT", "/files/parts", { body: "abc", more: { "Content-Range": "bytes 0-1/10" } });
    assert.equal(long.status, 400);
    assert.equal((await ask("PUT", "/files/parts?resumable=1", { send: (request) => request.end("x"), more: { "Transfer-Encoding": "chunked" } })).status, 400);
    assert.deepEqual(hidden(), []);
  });

  test("curl goes on with -C", async () => {
    const source = join(box.folder, "source.bin");
    writeFileSync(source, bytes);
    const url = `${box.daemon.url}/files/curl.bin`;
    const head = execFileSync("head", ["-c", "1000000", source]);
    assert.equal((await ask("PUT", "/files/curl.bin", { body: head, more: { "Content-Range": `bytes 0-999999/${bytes.length}` } })).status, 202);
    const from = await offset("curl.bin");
    assert.equal(from, 1_000_000);
    const out = execFileSync("curl", ["-sS", "-w", "%{http_code}", "-o", "/dev/null", "-H", authorization(), "-C", String(from), "-T", source, url]);
    assert.equal(out.toString(), "201");
    assert.deepEqual(readFileSync(inWorkspace("curl.bin")), bytes);
    const got = join(box.folder, "got.bin");
    writeFileSync(got, bytes.subarray(0, 777));
    execFileSync("curl", ["-sS", "-f", "-H", authorization(), "-C", "-", "-o", got, url]);
    assert.deepEqual(readFileSync(got), bytes);
  });

  test("after a restart a part is still there; one that is a day old is deleted", async () => {
    const part = (name) => ask("PUT", `/files/${name}`, { body: "12345", more: { "Content-Range": "bytes 0-4/10" } });
    assert.equal((await part("kept/young")).status, 202);
    assert.equal((await part("kept/old")).status, 202);
    const old = hidden(inWorkspace("kept")).map((name) => join(inWorkspace("kept"), name));
    assert.equal(old.length, 2);
    const hash = createHash("sha256").update("old").digest("hex").slice(0, 16);
    const aged = old.find((path) => path.includes(hash));
    const yesterday = Date.now() / 1000 - 25 * 3600;
    utimesSync(aged, yesterday, yesterday);
    await box.daemon.restart();
    await until("the old one is gone", () => !existsSync(aged));
    assert.equal(await offset("kept/young"), 5);
    assert.equal(await offset("kept/old"), 0);
    const done = await ask("PUT", "/files/kept/young", { body: "67890", more: { "Content-Range": "bytes 5-9/10" } });
    assert.equal(done.status, 201);
    assert.equal(readFileSync(inWorkspace("kept/young"), "utf8"), "1234567890");
  });
});

describe("stopping", () => {
  test("the daemon ends in good order amid transfers, and leaves nothing of an upload", async () => {
    put(box, "amid/a", randomBytes(24 << 20));
    truncateSync(put(box, "huge", ""), 1 << 30);
    const slow = ["/files/huge", "/files/amid?zip=1"].map((path) => {
      const client = raw([`GET ${path} HTTP/1.1`, "Host: localhost", authorization()]);
      client.socket.once("data", () => client.socket.pause());
      return client;
    });
    await until("both have begun", () => slow.every(({ text }) => text.startsWith("HTTP/1.1 200 ")));
    const upload = raw(["PUT /files/cut/short/x HTTP/1.1", "Host: localhost", "Content-Length: 1000000", authorization(), "", "some"]);
    await until("the upload has begun", () => existsSync(inWorkspace("cut/short")));
    const port = box.daemon.port;
    assert.deepEqual(await box.daemon.stop(), { code: 0, signal: null });
    assert.ok(!existsSync(inWorkspace("cut")));
    for (const client of [...slow, upload]) client.socket.destroy();
    await box.daemon.start(`127.0.0.1:${port}`);
  });
});

describe("as another user", { skip: process.getuid() !== 0 && "only root can run tools as another user" }, () => {
  const apart = useBox({
    desktop: false,
    args: ["--sandbox-user", "nobody"],
    prepare: (own) => {
      // The folder of the test is private: the other user must come through to the workspace.
      chmodSync(own.folder, 0o755);
      return {};
    },
  });
  const here = (name) => join(apart.daemon.workspace, name);
  const theirs = (method, path, options) => ask(method, path, { daemon: apart.daemon, ...options });

  test("what is written is that user's, and what that user may not read is not served", async () => {
    chownSync(apart.daemon.workspace, 65534, 65534);
    for (const query of ["", "?resumable=1"]) {
      for (const status of [201, 200]) {
        const got = await theirs("PUT", `/files/made/file${query ? "2" : "1"}${query}`, { body: "x" });
        assert.equal(got.status, status, got.text);
      }
    }
    for (const name of ["made", "made/file1", "made/file2"]) assert.equal(statSync(here(name)).uid, 65534, name);
    assert.deepEqual(readdirSync(here("made")), ["file1", "file2"]);
    writeFileSync(here("roots.txt"), "root's", { mode: 0o600 });
    mkdirSync(here("roots"), { mode: 0o755 });
    symlinkSync(apart.daemon.dataDir, here("pocket"));
    for (const [method, path] of [
      ["GET", "roots.txt"], ["PUT", "roots.txt"], ["PUT", "roots/x"], ["PUT", "roots/x?resumable=1"], ["DELETE", "/etc/hostname"], ["GET", "/etc/shadow"],
      ["GET", "pocket/token"], ["PUT", "pocket/token"], ["GET", `${apart.daemon.dataDir}/token`], ["PUT", `${apart.daemon.dataDir}/new`],
    ]) {
      const got = await theirs(method, `/files/${path}`, { body: method === "PUT" ? "x" : undefined });
      assert.equal(got.status, 403, `${method} ${path}: ${got.text}`);
    }
    assert.equal(readFileSync(here("roots.txt"), "utf8"), "root's");
    const part = await theirs("PUT", "/files/rest", { body: "12345", more: { "Content-Range": "bytes 0-4/10" } });
    assert.equal(part.status, 202);
    await until("the part is on the list of those to be deleted", () => /\.selfagent-[0-9a-f]+-10\.part\n/.test(readFileSync(join(apart.daemon.dataDir, "uploads"), "utf8")));
    const zip = await theirs("GET", "/files?zip=1");
    assert.equal(zip.status, 200);
    assert.ok(!zip.body.includes("root's"));
  });
});
