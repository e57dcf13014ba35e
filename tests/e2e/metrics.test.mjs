// GET /metrics: what Prometheus would scrape, after calls whose number is known.
import assert from "node:assert/strict";
import { describe } from "node:test";
import { startServer } from "./model_server/server.mjs";
import { put, test, until, useBox } from "./harness.mjs";
import { prepareTokens, tokens } from "./wire.mjs";

const script = {
  model: "scripted-metrics",
  runs: [
    { match: "say hello", turns: [{ text: "Hello." }] },
    { match: "fail please", turns: [{ error: { status: 400, body: { error: { message: "no" } } } }] },
    { match: "hang now", turns: [{ text: "Let me", hang: "after" }] },
  ],
};

const box = useBox({
  windowManager: false,
  prepare: async (own) => {
    own.model = await startServer({ script });
    const { env } = await prepareTokens(own);
    return { env: { ...env, ...own.model.env } };
  },
});

/** {families: {name: {type, help}}, value(name, labels)}, having checked that each line is of the text format 0.0.4. */
function parse(text) {
  const families = {};
  const samples = new Map();
  let family;
  for (const line of text.split("\n").slice(0, -1)) {
    const comment = line.match(/^# (HELP|TYPE) ([a-z_:][a-z0-9_:]*) (.+)$/);
    if (comment) {
      const [, kind, name, rest] = comment;
      assert.equal(kind in (families[name] ?? {}), false, `two lines ${kind} of ${name}`);
      (families[name] ??= {})[kind] = rest;
      family = name;
      continue;
    }
    const [, name, labels = "", value] = line.match(/^([a-z_:][a-z0-9_:]*)(\{[a-z_]+="(?:[^"\\]|\\.)*"(?:,[a-z_]+="(?:[^"\\]|\\.)*")*\})? (\S+)$/) ?? assert.fail(`not a sample: ${line}`);
    const base = families[family].TYPE === "histogram" ? name.replace(/_(bucket|sum|count)$/, "") : name;
    assert.equal(base, family, `${name} stands below its family`);
    assert.ok(families[family].HELP && /^(counter|gauge|histogram)$/.test(families[family].TYPE), family);
    assert.ok(Number.isFinite(Number(value)), line);
    assert.equal(samples.has(name + labels), false, `twice: ${line}`);
    samples.set(name + labels, Number(value));
  }
  const value = (series) => {
    assert.ok(samples.has(series), `${series} is missing`);
    return samples.get(series);
  };
  return { families, samples, value };
}

async function scrape(token = box.daemon.token) {
  const response = await box.daemon.fetch("/metrics", { headers: { Authorization: `Bearer ${token}` } });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  const text = await response.text();
  assert.ok(text.endsWith("\n"));
  return parse(text);
}
/** How much a series has grown since `before`. */
const growth = (before, after) => (series) => after.value(series) - before.value(series);

describe("the metrics", () => {
  test("are for every token, and for nobody without one", async () => {
    for (const token of Object.values(tokens)) await scrape(token);
    assert.equal((await fetch(`${box.daemon.url}/metrics`)).status, 401);
    assert.equal((await box.daemon.post("/metrics", {})).status, 405);
  });

  test("count calls by tool and result, wherever they come from", async () => {
    const before = await scrape();
    await box.daemon.tool("screen_info");
    await box.daemon.shell("true");
    await box.daemon.rpc("click", { x: 5000, y: 1 });
    await box.daemon.rpc("click", { x: "left" });
    await box.daemon.post("/api/chat", { prompt: "/shell true" });
    const grown = growth(before, await scrape());
    const calls = (tool, result) => grown(`selfagent_tool_calls_total{tool="${tool}",result="${result}"}`);
    assert.deepEqual([calls("screen_info", "ok"), calls("shell", "ok"), calls("click", "failed"), calls("click", "refused"), calls("click", "ok")], [1, 2, 1, 1, 0]);
    assert.equal(grown('selfagent_tool_call_duration_seconds_count{tool="shell"}'), 2);
    assert.equal(grown('selfagent_tool_call_duration_seconds_count{tool="click"}'), 1);
    assert.ok(grown('selfagent_tool_call_duration_seconds_sum{tool="shell"}') > 0);
  });

  test("have histograms whose buckets rise to the count", async () => {
    await box.daemon.shell("sleep 0.06");
    const { samples, value } = await scrape();
    const buckets = [...samples].filter(([series]) => series.startsWith('selfagent_tool_call_duration_seconds_bucket{tool="shell"'));
    const counts = buckets.map(([, count]) => count);
    assert.deepEqual(counts, [...counts].sort((a, b) => a - b));
    assert.match(buckets.at(-1)[0], /le="\+Inf"/);
    assert.equal(counts.at(-1), value('selfagent_tool_call_duration_seconds_count{tool="shell"}'));
    assert.ok(counts.at(-1) > value('selfagent_tool_call_duration_seconds_bucket{tool="shell",le="0.05"}'), "the slow one is not among the quick ones");
  });

  test("count pictures, and those that were not sent again", async () => {
    const socket = await box.daemon.webSocket();
    const before = await scrape();
    await socket.request(1, "screenshot", {});
    const { result } = await socket.request(2, "screenshot", { if_changed: true });
    assert.match(result.content[0].text, /^unchanged/);
    const grown = growth(before, await scrape());
    assert.equal(grown("selfagent_screenshots_unchanged_total"), 1);
    assert.ok(grown("selfagent_screen_pictures_total") >= 2);
    await socket.close();
    assert.ok((await scrape()).value("selfagent_screen_changes_total") >= 1);
  });

  test("count the model's answers, failures and tokens", async () => {
    const before = await scrape();
    await box.daemon.post("/api/chat", { prompt: "say hello" });
    await box.daemon.post("/api/chat", { prompt: "fail please" });
    const grown = growth(before, await scrape());
    const [{ usage }] = box.model.requests;
    assert.deepEqual([grown('selfagent_model_requests_total{result="ok"}'), grown('selfagent_model_tokens_total{kind="prompt"}'), grown('selfagent_model_tokens_total{kind="completion"}')],
                     [1, usage.prompt_tokens, usage.completion_tokens]);
    assert.ok(grown('selfagent_model_requests_total{result="failed"}') >= 1);
    assert.equal(grown("selfagent_model_request_duration_seconds_count"), 1);
  });

  test("show the queue, what runs, and the connections", async () => {
    const job = async (state) => (await scrape()).value(`selfagent_jobs{state="${state}"}`);
    const asked = box.model.requests.length;
    const first = (await box.daemon.post("/schedule", { prompt: "hang now" })).body.job_id;
    await until("it runs", async () => (await job("running")) === 1 && box.model.requests.length > asked, 20_000);
    const second = (await box.daemon.post("/schedule", { prompt: "say hello" })).body.job_id;
    assert.equal(await job("queued"), 1);
    for (const id of [second, first]) await box.daemon.post(`/cancel/${id}`, {});
    await until("nothing runs", async () => (await job("running")) === 0 && (await job("queued")) === 0, 20_000);
    assert.ok((await scrape()).value('selfagent_model_requests_total{result="cancelled"}') >= 1);

    const before = (await scrape()).value("selfagent_processes");
    const shell = box.daemon.shell("touch is-there; until [ -e may-go ]; do sleep 0.05; done");
    await until("a program runs", async () => (await scrape()).value("selfagent_processes") === before + 1, 20_000);
    put(box, "may-go", "");
    await shell;

    // The test's own idle connections may end meanwhile; there are fewer of them.
    const few = await scrape();
    const sockets = await Promise.all(Array.from({ length: 20 }, () => box.daemon.webSocket()));
    const many = await scrape();
    assert.ok(many.value("selfagent_connections") > few.value("selfagent_connections") + 10);
    assert.ok(growth(few, many)("selfagent_connections_accepted_total") >= 20);
    await Promise.all(sockets.map((socket) => socket.close()));
  });

  test("tell about the daemon itself", async () => {
    const { value, families } = await scrape();
    assert.equal(value('selfagent_build_info{version="0.1.0"}'), 1);
    assert.ok(Math.abs(value("process_start_time_seconds") - Date.now() / 1000) < 3600);
    for (const name of ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "selfagent_connections_accepted_total"]) {
      assert.ok(value(name) > 0, name);
      assert.equal(families[name].TYPE, name.endsWith("_total") ? "counter" : "gauge");
    }
  });
});
