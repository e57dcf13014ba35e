// Resources: the screen, the files of the workspace, the logs of jobs; and being told when the screen changes.
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe } from "node:test";
import { pathToFileURL } from "node:url";
import { Daemon, decodePng, pngSize, put, screen, test, until, useBox } from "./harness.mjs";
import { EventStream, call, handshake, modern, notification, peers, postModern, received, startSession } from "./wire.mjs";

const box = useBox();
const uriOf = (path) => pathToFileURL(join(box.daemon.workspace, path)).href;

/** resources/read in both eras, whose contents are the same. */
async function read(uri) {
  const legacy = await box.daemon.post("/mcp", call(1, "resources/read", { uri }));
  const newer = await postModern(box.daemon, modern(1, "resources/read", { uri }));
  if (legacy.body.error) {
    assert.deepEqual([legacy.status, newer.status], [200, 200]);
    return { legacy: legacy.body.error, newer: newer.body.error };
  }
  if (uri !== "screen://current") assert.deepEqual(newer.body.result?.contents, legacy.body.result.contents);
  assert.equal(legacy.body.result.contents.length, 1);
  return legacy.body.result.contents[0];
}

describe("resources", () => {
  test("are listed the same in both eras", async () => {
    for (const [method, key, expected] of [
      ["resources/list", "resources", [["screen://current", "image/png"]]],
      ["resources/templates/list", "resourceTemplates", [[`file://${box.daemon.workspace}/{+path}`, undefined], ["job://{id}/log", "text/plain"]]],
    ]) {
      const legacy = (await box.daemon.post("/mcp", call(1, method))).body.result;
      const newer = (await postModern(box.daemon, modern(1, method))).body.result;
      assert.deepEqual(newer[key], legacy[key]);
      assert.deepEqual(legacy[key].map(({ uri, uriTemplate, mimeType }) => [uri ?? uriTemplate, mimeType]), expected);
      for (const { name, title, description } of legacy[key]) assert.ok(name && title && description.length > 40);
      const wrong = (await box.daemon.post("/mcp", call(1, method, { cursor: "bm8=" }))).body;
      assert.equal(wrong.error.code, -32602);
      assert.match(wrong.error.message, /cursor/);
    }
  });

  test("the screen is a PNG of its size, and shows what is on it", async () => {
    const { uri, mimeType, blob, text } = await read("screen://current");
    assert.deepEqual([uri, mimeType, text], ["screen://current", "image/png", undefined]);
    const bytes = Buffer.from(blob, "base64");
    assert.deepEqual(pngSize(bytes), screen);
    await box.daemon.tool("launch", { command: `xterm -T red-${process.pid} -bg '#c01020' -bw 0 -geometry 40x10+300+300 -e sleep 100`, wait_ms: 25_000 });
    await until("the red window is in the picture", async () =>
      (await decodePng(Buffer.from((await read("screen://current")).blob, "base64"))).at(450, 400) === "c01020");
    await box.daemon.shell(`pkill -f '[x]term -T red-${process.pid}'`);
  });

  test("a file of the workspace is text, or a blob", async () => {
    put(box, "notes/a b.md", "# spaces\n");
    put(box, "notes/größe 美 😀 100%.txt", "ümläut\n");
    writeFileSync(join(box.daemon.workspace, "raw.bin"), Buffer.from([0, 255, 1, 254]));
    assert.deepEqual(await read(uriOf("notes/a b.md")), { uri: uriOf("notes/a b.md"), mimeType: "text/markdown", text: "# spaces\n" });
    const name = "notes/größe 美 😀 100%.txt";
    assert.match(uriOf(name), /100%25/);
    assert.deepEqual(await read(uriOf(name)), { uri: uriOf(name), mimeType: "text/plain", text: "ümläut\n" });
    assert.deepEqual(await read(uriOf("raw.bin")), { uri: uriOf("raw.bin"), mimeType: "application/octet-stream", blob: "AP8B/g==" });
    const picture = await box.daemon.screenshot();
    writeFileSync(join(box.daemon.workspace, "shot.png"), picture);
    const shot = await read(uriOf("shot.png"));
    assert.equal(shot.mimeType, "image/png");
    assert.ok(Buffer.from(shot.blob, "base64").equals(picture));
  });

  test("the header Mcp-Name carries such a name in base64", async () => {
    put(box, "größe.txt", "x");
    const uri = `file://${box.daemon.workspace}/größe.txt`;
    const message = modern(1, "resources/read", { uri });
    const { status, body } = await postModern(box.daemon, message, { "Mcp-Name": `=?base64?${Buffer.from(uri).toString("base64")}?=` });
    assert.equal(status, 200);
    assert.equal(body.result.contents[0].text, "x");
  });

  test("a folder is the list of its names", async () => {
    put(box, "folder/b.txt", "");
    put(box, "folder/sub/c.txt", "");
    const { mimeType, text } = await read(uriOf("folder"));
    assert.equal(mimeType, "text/plain");
    assert.deepEqual(text.trim().split("\n").sort(), ["b.txt", "sub/"]);
  });

  test("what is not there, is too large or lies outside is refused, with the code of the era", async () => {
    put(box, "here.txt", "here");
    const base = `file://${box.daemon.workspace}`;
    for (const uri of [`${base}/missing.txt`, `${base}/../daemon.log`, `${base}/%2e%2e/daemon.log`, `${base}/..%2fdaemon.log`, `${base}/a/../../daemon.log`,
                       `${base}//etc/passwd`, `${base}/%2fetc/passwd`, "file:///etc/passwd", `${base}x/here.txt`, `${base}/here.txt%00`, "job://none/log", "nonsense", ""]) {
      const { legacy, newer } = await read(uri);
      assert.ok(legacy, `${uri} is refused`);
      assert.deepEqual([legacy.code, newer.code], [-32002, -32602], `${uri}: ${JSON.stringify(legacy)}`);
      assert.deepEqual([legacy.data, newer.data], [{ uri }, { uri }]);
      assert.doesNotMatch(JSON.stringify(legacy), /root:/);
    }
    writeFileSync(join(box.daemon.workspace, "large"), Buffer.alloc((8 << 20) + 1, "x"));
    const { legacy } = await read(uriOf("large"));
    assert.match(legacy.message, /8388608|8 MiB/);
  });

  test("a link that leads out of the workspace is not followed", async () => {
    symlinkSync("/etc/passwd", join(box.daemon.workspace, "way-out"));
    symlinkSync("/etc", join(box.daemon.workspace, "folder-out"));
    for (const path of ["way-out", "folder-out/passwd"]) {
      const answer = await read(uriOf(path));
      assert.ok(answer.legacy, `${path}: ${JSON.stringify(answer).slice(0, 200)}`);
    }
  });

  test("the log of a job has its state, its output and its end", async () => {
    const { body } = await box.daemon.post("/schedule", { kind: "shell", code: "echo to the log; echo oops >&2; exit 4" });
    await box.daemon.finished(body.job_id);
    const { mimeType, text } = await read(`job://${body.job_id}/log`);
    assert.equal(mimeType, "text/plain");
    assert.match(text, new RegExp(`^${body.job_id} \\(shell\\): failed, exit code 4`));
    assert.match(text, /stdout:\nto the log\n/);
    assert.match(text, /stderr:\noops\n/);
  });
});

// --- subscriptions

const isUpdate = ({ method, params }) => method === "notifications/resources/updated" && params.uri === "screen://current";
const params = { uri: "screen://current" };
const wanted = { notifications: { resourceSubscriptions: ["screen://current", "screen://other"], toolsListChanged: true } };
const idOf = (message) => message.params?._meta?.["io.modelcontextprotocol/subscriptionId"] ?? message.result?._meta?.["io.modelcontextprotocol/subscriptionId"];

/** Every way to hear of the screen: {updates(): message[], stop(): Promise, close()}. */
const ways = {
  "the GET stream of a session": async (daemon) => {
    const session = await startSession(daemon);
    const stream = await EventStream.open(daemon, { method: "GET", headers: session });
    const ask = async (method) => assert.deepEqual((await daemon.post("/mcp", call(2, method, params), { headers: session })).body.result, {});
    await ask("resources/subscribe");
    const close = async () => {
      assert.equal((await daemon.fetch("/mcp", { method: "DELETE", headers: session })).status, 204);
      await stream.ended;
    };
    return { updates: () => stream.messages.filter(isUpdate), stop: () => ask("resources/unsubscribe"), close };
  },
  "subscriptions/listen over HTTP": async (daemon) => {
    const stream = await EventStream.modern(daemon, modern("listen:0", "subscriptions/listen", wanted));
    assert.match(stream.headers["content-type"], /^text\/event-stream/);
    assert.ok(stream.headMs < 10_000, `its head came after ${stream.headMs} ms`); // not with the first comment
    const first = await until("the acknowledgement", () => stream.messages[0]);
    checkAcknowledged(first, "listen:0");
    return { updates: () => stream.messages.filter(isUpdate), close: () => stream.cut(), id: "listen:0", stream, answer: () => stream.answer("listen:0") };
  },
};
function checkAcknowledged(message, id) {
  assert.equal(message.method, "notifications/subscriptions/acknowledged");
  assert.deepEqual(message.params.notifications, { resourceSubscriptions: ["screen://current"] });
  assert.equal(idOf(message), id);
}
for (const [name, open] of Object.entries(peers)) {
  ways[`resources/subscribe over ${name}`] = async (daemon) => {
    const peer = await open(daemon);
    await handshake(peer);
    const ask = async (id, method) => assert.deepEqual((await peer.request(id, method, params)).result, {});
    await ask(2, "resources/subscribe");
    return { updates: () => received(peer).filter(isUpdate), stop: () => ask(3, "resources/unsubscribe"), close: () => peer.close() };
  };
  ways[`subscriptions/listen over ${name}`] = async (daemon) => {
    const peer = await open(daemon);
    peer.send(modern(42, "subscriptions/listen", wanted));
    checkAcknowledged(await until("the acknowledgement", () => received(peer)[0]), 42);
    const stop = async () => {
      peer.send(notification("notifications/cancelled", { requestId: 42 }));
      const { result } = await peer.answer(42);
      assert.deepEqual([result.resultType, idOf({ result })], ["complete", 42]);
    };
    return { updates: () => received(peer).filter(isUpdate), stop, close: () => peer.close(), id: 42, answer: () => peer.answer(42) };
  };
}

/** A terminal that writes all the time. */
async function drawing() {
  await box.daemon.tool("launch", { command: `xterm -T drawing-${process.pid} -e sh -c 'while :; do echo $$ x; sleep 0.03; done'`, wait_ms: 25_000 });
  return () => box.daemon.shell(`pkill -f '[x]term -T drawing-${process.pid}'`);
}

describe("a subscriber of screen://current", () => {
  for (const [number, [what, subscribe]] of Object.entries(ways).entries()) {
    const title = `moved-${process.pid}-${number}`; // its own: a window of before may still be closing
    test(`is told within 2 s, by ${what}`, async () => {
      await box.daemon.tool("launch", { command: `xterm -T ${title} -geometry 30x5+50+50 -e sleep 100`, wait_ms: 25_000 });
      const way = await subscribe(box.daemon);
      try {
        const [, id] = await until("its window", async () => (await box.daemon.tool("windows")).match(new RegExp(`^(0x[0-9a-f]+) "${title}"`, "m")));
        for (const x of [400, 700]) {
          // What a window still does after its start is over before the next round counts.
          const before = way.updates().length;
          await box.daemon.tool("window", { id, action: "move", x, y: 300 });
          await until("the notification", () => way.updates().length > before, 20_000);
        }
        if (way.id !== undefined) assert.ok(way.updates().every((message) => idOf(message) === way.id));
      } finally {
        await way.close();
        await box.daemon.shell(`pkill -f '[x]term -T ${title}'`);
      }
    });
  }

  test("is told at most twice a second, and no more once it has unsubscribed", async () => {
    const begun = performance.now();
    const all = await Promise.all(Object.values(ways).map((subscribe) => subscribe(box.daemon)));
    const control = all[0];
    const end = await drawing();
    try {
      await until("all hear of it", () => all.every((way) => way.updates().length > 0));
      await new Promise((resolve) => setTimeout(resolve, 3000)); // the period is the subject
      await until("all hear more of it", () => all.every((way) => way.updates().length >= 4));
      // From the beginning on, so that what arrives late, in a bunch, does not count as too much.
      const most = 1 + (2 * (performance.now() - begun)) / 1000;
      all.forEach((way, index) => assert.ok(way.updates().length <= most, `${Object.keys(ways)[index]}: ${way.updates().length} instead of ${most}`));
      const stoppable = all.slice(1).filter((way) => way.stop);
      assert.equal(stoppable.length, 4);
      await Promise.all(stoppable.map((way) => way.stop()));
      const heard = async (count) => {
        const from = control.updates().length;
        await until("the others hear more", () => control.updates().length >= from + count);
      };
      await heard(2); // what was under way has arrived
      const last = stoppable.map((way) => way.updates().length);
      await heard(4);
      assert.deepEqual(stoppable.map((way) => way.updates().length), last);
      await control.stop();
    } finally {
      await end();
      await Promise.all(all.map((way) => way.close()));
    }
  });

  test("of something else is refused, or not honoured", async () => {
    const session = await startSession(box.daemon);
    for (const [uri, code] of [["screen://other", -32002], [`${uriOf("")}/%2e%2e/passwd`, -32002], ["job://j-none/log", -32002]]) {
      const { body } = await box.daemon.post("/mcp", call(1, "resources/subscribe", { uri }), { headers: session });
      assert.equal(body.error.code, code, JSON.stringify(body));
    }
    const peer = await box.daemon.webSocket();
    peer.send(modern(1, "subscriptions/listen", { notifications: { promptsListChanged: true, resourceSubscriptions: [`${uriOf("")}/%2e%2e/passwd`, "job://j-none/log", 5] } }));
    const acknowledged = await until("the acknowledgement", () => received(peer)[0]);
    assert.deepEqual(acknowledged.params.notifications, {});
    await peer.close();
  });
});

test("at its end the daemon answers who listens, and the streams end in order", async () => {
  // An answer that races with the end is lost now and then: ten daemons are stopped.
  await Promise.all(Array.from({ length: 10 }, async (_, number) => {
    const folder = join(box.folder, `stopped-${number}`);
    mkdirSync(folder);
    const daemon = await new Daemon({ folder, desktop: box.desktop }).start();
    const http = await ways["subscriptions/listen over HTTP"](daemon);
    const ws = await ways["subscriptions/listen over ws"](daemon);
    const stdio = await ways["subscriptions/listen over stdio"](daemon);
    assert.deepEqual(await daemon.stop("SIGTERM"), { code: 0, signal: null });
    for (const [what, way] of Object.entries({ http, ws, stdio })) {
      const { result } = await way.answer().catch((error) => assert.fail(`over ${what}: ${error.message}`));
      assert.deepEqual([result.resultType, idOf({ result })], ["complete", way.id]);
      assert.equal(result._meta["io.modelcontextprotocol/serverInfo"].name, "selfagent");
    }
    await http.stream.ended;
    assert.ok(http.stream.complete, "the event stream ends in order");
    await Promise.all([ws.close(), stdio.close()]);
  }));
});
