// What the official SDK's clients make of it: news of the screen, and answers that survive a broken connection.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ResourceUpdatedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import { Daemon, test, textOf, until, useBox } from "./harness.mjs";
import { sdkClients } from "./sdk.mjs";
import { shellCall } from "./wire.mjs";

const box = useBox();

for (const [number, [name, sdk]] of Object.entries(sdkClients).entries()) {
  const title = `watched-${process.pid}-${number}`; // its own: a window of before may still be closing
  test(`${name} hears that the screen changed, reads it, and hears no more when it wants no more`, async () => {
    const told = [];
    const client = await sdk.connect(box.daemon, {
      prepare: (own) => own.setNotificationHandler(sdk.v1 ? ResourceUpdatedNotificationSchema : "notifications/resources/updated", ({ params }) => { told.push(params.uri); }),
    });
    await box.daemon.tool("launch", { command: `xterm -T ${title} -geometry 30x5+50+50 -e sleep 100`, wait_ms: 25_000 });
    const [, id] = await until("its window", async () => (await box.daemon.tool("windows")).match(new RegExp(`^(0x[0-9a-f]+) "${title}"`, "m")));
    const move = (x) => box.daemon.tool("window", { id, action: "move", x, y: 200 });
    try {
      const subscription = sdk.newest ? await client.listen({ resourceSubscriptions: ["screen://current"] }) : undefined;
      if (subscription) assert.deepEqual(subscription.honoredFilter, { resourceSubscriptions: ["screen://current"] });
      else await client.subscribeResource({ uri: "screen://current" });
      // A session's stream may open a moment after connect(): what is drawn before is not told.
      let x = 100;
      await until("the news", async () => {
        await move((x = x === 100 ? 500 : 100));
        return told.length > 0;
      });
      assert.ok(told.every((uri) => uri === "screen://current"));
      const { contents } = await client.readResource({ uri: "screen://current" });
      assert.equal(contents[0].mimeType, "image/png");
      if (subscription) {
        await subscription.close();
        assert.equal(await subscription.closed, "local");
      } else {
        await client.unsubscribeResource({ uri: "screen://current" });
      }
      // Another client hears of what this one must not: by then it would have come.
      const control = await box.daemon.webSocket();
      await control.request(1, "resources/subscribe", { uri: "screen://current" });
      let before;
      for (const position of [700, 300, 500]) {
        const heard = control.messages.length;
        await move(position);
        await until("the other hears of it", () => control.messages.length > heard);
        before ??= told.length; // what was under way has arrived
      }
      await control.close();
      assert.equal(told.length, before);
    } finally {
      await client.close();
      await box.daemon.shell(`pkill -f '[x]term -T ${title}'`);
    }
  });
}

for (const [name, sdk] of Object.entries(sdkClients)) {
  test(`${name} hears of a file that comes and of a job that goes on`, async () => {
    const told = [];
    const client = await sdk.connect(box.daemon, {
      prepare: (own) => own.setNotificationHandler(sdk.v1 ? ResourceUpdatedNotificationSchema : "notifications/resources/updated", ({ params }) => { told.push(params.uri); }),
    });
    const heard = (uri) => told.filter((one) => one === uri).length;
    try {
      const { resourceTemplates } = await client.listResourceTemplates();
      const { uriTemplate } = resourceTemplates.find(({ name }) => name === "workspace");
      const folder = `watched-${randomBytes(4).toString("hex")}`;
      const file = uriTemplate.replace("{+path}", `${folder}/report.txt`);
      const { body: { job_id: id } } = await box.daemon.post("/schedule", { kind: "shell", code: "echo begun; sleep 100" });
      await until("the job runs", async () => (await box.daemon.get(`/status/${id}`)).body.stdout.includes("begun"));
      const log = `job://${id}/log`;
      const uris = [file, log];
      const subscription = sdk.newest ? await client.listen({ resourceSubscriptions: uris }) : undefined;
      if (subscription) assert.deepEqual(subscription.honoredFilter, { resourceSubscriptions: uris });
      else for (const uri of uris) await client.subscribeResource({ uri });
      // A session's stream may open a moment after connect(): what is written before is not told.
      let text = "";
      await until("news of the file", async () => {
        await box.daemon.tool("write_file", { path: `${folder}/report.txt`, content: (text += "x") });
        return heard(file) > 0;
      });
      assert.equal((await client.readResource({ uri: file })).contents[0].text, text);
      await box.daemon.post(`/cancel/${id}`);
      await until("news of the job", () => heard(log) > 0);
      assert.match((await client.readResource({ uri: log })).contents[0].text, /cancelled/);
      if (subscription) await subscription.close();
    } finally {
      await client.close();
    }
  });
}

test("a subscriber of a symlink hears of the file that it points to", async () => {
  const file = (name) => join(box.daemon.workspace, name);
  writeFileSync(file("target.txt"), "one");
  symlinkSync("target.txt", file("link.txt"));
  const socket = await box.daemon.webSocket();
  try {
    const uri = pathToFileURL(file("link.txt")).href;
    assert.ok((await socket.request(1, "resources/subscribe", { uri })).result);
    const heard = () => socket.messages.filter(({ text }) => JSON.parse(text).params?.uri === uri).length;
    writeFileSync(file("target.txt"), "two");
    await until("news of the target", () => heard() > 0);
    assert.ok(socket.messages.every(({ text }) => !text.includes("target.txt")), "it is called as the subscriber calls it");
  } finally {
    await socket.close();
  }
});

test("a subscriber of a job's log hears that it grows, however long it is", async () => {
  const { body: { job_id: id } } = await box.daemon.post("/schedule", {
    kind: "shell", code: "head -c 6000000 /dev/zero | tr '\\0' x; echo; for i in 1 2 3; do echo at $i; until [ -e on-$i ]; do sleep 0.02; done; done; echo end",
  });
  const stdout = async () => (await box.daemon.get(`/status/${id}`)).body.stdout;
  await until("the log is long", async () => (await stdout()).includes("at 1"));
  const socket = await box.daemon.webSocket();
  try {
    assert.ok((await socket.request(1, "resources/subscribe", { uri: `job://${id}/log` })).result);
    const heard = () => socket.messages.filter(({ text }) => JSON.parse(text).method === "notifications/resources/updated").length;
    for (const i of [1, 2]) {
      // One may still be on its way from before.
      const before = heard();
      writeFileSync(join(box.daemon.workspace, ".jobs", id, `on-${i}`), "");
      await until("the job goes on", async () => (await stdout()).includes(`at ${i + 1}`));
      await until("news of it", () => heard() > before);
    }
    assert.equal((await box.daemon.get(`/status/${id}`)).body.state, "running", "it was not the end that was told");
  } finally {
    await box.daemon.post(`/cancel/${id}`);
    await socket.close();
  }
});

test("the SDK's client hears that a subscription ends because the daemon stops", async () => {
  const folder = join(box.folder, "stopping");
  mkdirSync(folder);
  for (const name of ["SDK v2 over http in revision 2026-07-28", "SDK v2 over stdio in revision 2026-07-28"]) {
    const daemon = await new Daemon({ folder, desktop: box.desktop }).start();
    const client = await sdkClients[name].connect(daemon);
    const subscription = await client.listen({ resourceSubscriptions: ["screen://current"] });
    assert.deepEqual(await daemon.stop("SIGTERM"), { code: 0, signal: null });
    assert.equal(await subscription.closed, "graceful", name);
    await client.close().catch(() => {});
  }
});

/** A way to the daemon whose connections can be cut: {url, cut(), close()}. */
async function brittleRoad(port) {
  const sockets = new Set();
  const server = net.createServer((client) => {
    const daemon = net.connect(port, "127.0.0.1");
    for (const [from, to] of [[client, daemon], [daemon, client]]) {
      sockets.add(from);
      from.on("error", () => {});
      from.on("close", () => { sockets.delete(from); to.destroy(); });
      from.pipe(to);
    }
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    cut: () => { for (const socket of sockets) socket.destroy(); },
    close: () => { for (const socket of sockets) socket.destroy(); server.close(); },
  };
}

for (const name of ["SDK v1 over http", "SDK v2 over http"]) {
  test(`${name} gets the answer of a call whose connection broke, and the command ran once`, async () => {
    const road = await brittleRoad(box.daemon.port);
    const file = `${name.replaceAll(" ", "-")}.txt`;
    const client = await sdkClients[name].connect(box.daemon, { url: road.url });
    try {
      const progress = [];
      const call = sdkClients[name].v1
        ? client.callTool(shellCall(`echo x >> '${file}'; sleep 4; echo got through`), undefined, { onprogress: (one) => progress.push(one) })
        : client.callTool(shellCall(`echo x >> '${file}'; sleep 4; echo got through`), { onprogress: (one) => progress.push(one) });
      call.catch(() => {});
      await until("progress", () => progress.length > 0);
      road.cut();
      assert.match(textOf(await call), /got through/);
      assert.equal(readFileSync(join(box.daemon.workspace, file), "utf8"), "x\n");
    } finally {
      await client.close();
      road.close();
    }
  });
}
