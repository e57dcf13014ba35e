// What happens on the desktop reaches the planner: a notification on a real message bus.
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe } from "node:test";
import { startServer } from "./model_server/server.mjs";
import { Child, isRunning, test, until, useBox } from "./harness.mjs";

const notify = "dbus-send --session --dest=org.freedesktop.Notifications --print-reply /org/freedesktop/Notifications "
  + "org.freedesktop.Notifications.Notify string:mail uint32:0 string: string:'Two new messages' string:'from Ada' array:string: dict:string:string: int32:1; true";

for (const user of ["", "nobody"]) {
  const title = user ? "programs of another user" : "programs of the daemon's own user";
  describe(title, { skip: user !== "" && process.getuid() !== 0 && "only root can run tools as another user" }, () => {
    const box = useBox({
      args: user ? ["--sandbox-user", user] : [],
      prepare: async (own) => {
        chmodSync(own.folder, 0o755);
        own.model = await startServer({ script: { model: "scripted-news", runs: [
          { match: "Has anybody written", turns: [
            { calls: [{ name: "shell", arguments: { command: notify } }] },
            { calls: [{ name: "wait_for", arguments: { settled: true, timeout_ms: 2000 } }] },
            { expect: ['A notification was shown:\n- mail: "Two new messages" "from Ada"'], text: "There is mail." },
          ] },
        ] } });
        own.busFolder = join(own.folder, "bus");
        mkdirSync(own.busFolder);
        chmodSync(own.busFolder, 0o777);
        const address = `unix:path=${own.busFolder}/socket`;
        const bus = ["dbus-daemon", "--session", `--address=${address}`, "--nofork", "--nopidfile", "--nosyslog"];
        own.bus = new Child(...(user ? ["setpriv", ["--reuid", user, "--regid", "65534", "--clear-groups", ...bus]] : [bus[0], bus.slice(1)]), { stdio: ["ignore", "ignore", "pipe"] });
        own.said = "";
        own.bus.process.stderr.on("data", (piece) => { own.said += piece; });
        return { env: { ...own.model.env, DBUS_SESSION_BUS_ADDRESS: address } };
      },
    });

    test("a notification is told to the model with the next step", async () => {
      try {
        await until("the daemon listens to the bus", () => /became a monitor/.test(box.said));
        const { body } = await box.daemon.post("/api/chat", { prompt: "Has anybody written?" });
        assert.deepEqual(box.model.requests.flatMap(({ problems }) => problems), []);
        assert.equal(body.reply, "There is mail.");
        // The thread that listens is the sandbox user only while it connects.
        const tasks = readFileSync(`/proc/${box.daemon.child.pid}/status`, "utf8");
        assert.match(tasks, /^Uid:\t(\d+)\t\1\t\1\t\1$/m);
      } finally {
        await box.bus.stop();
        assert.ok(!isRunning(box.bus.pid));
      }
    });
  });
}
