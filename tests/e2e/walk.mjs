// What every client must be able to do: list the tools, see the screen, run a command, be refused, type into a window.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pngSize, screen, textOf, until } from "./harness.mjs";

export const expectedTools = [
  "call_result", "click", "clipboard", "delete_file", "drag", "edit_file", "key", "launch", "list_files", "mouse_button", "move", "move_file", "read_file",
  "screen_info", "screenshot", "scroll", "search_files", "shell", "type", "window", "windows", "write_file",
];

/** The SDK's clients of both generations, as walk() wants them. */
export const sdkClient = (client) => ({
  tools: async () => (await client.listTools()).tools,
  call: (name, args) => client.callTool({ name, arguments: args }),
});

/**
 * Walks through the daemon of `box` with a client: {tools(): Promise<tool[]>, call(name, args): Promise<CallToolResult>}.
 * `name` names the client and a file of the workspace. Returns whether the answers were those of the newest revision.
 */
export async function walk(box, name, { tools, call }) {
  const listed = (await tools()).map((tool) => tool.name);
  for (const tool of expectedTools) assert.ok(listed.includes(tool), `${tool} is listed`);

  const shot = await call("screenshot", {});
  const image = shot.content.find((block) => block.type === "image");
  assert.equal(image.mimeType, "image/png");
  assert.deepEqual(pngSize(Buffer.from(image.data, "base64")), screen);
  assert.ok(textOf(shot).length > 0, "a picture comes with a line of text");

  const echo = await call("shell", { command: "echo over $((40 + 2))" });
  assert.notEqual(echo.isError, true);
  assert.match(textOf(echo), /over 42/);

  const outside = await call("click", { x: 1400, y: 1 });
  assert.equal(outside.isError, true);
  assert.match(textOf(outside), /1400[\s\S]*1344/);

  const file = join(box.daemon.workspace, `${name}.txt`);
  await call("launch", { command: `xterm -u8 -T typing-${name} -e sh -c 'stty -ixon; cat > ${file}'` });
  await until("the terminal is there", async () => textOf(await call("windows", {})).includes(`typing-${name}`));
  await until("cat waits for text", () => existsSync(file));
  const typed = await call("type", { text: `typed over ${name}: äß€ "'\\\n` });
  assert.notEqual(typed.isError, true, textOf(typed));
  await call("key", { keys: "ctrl+d" });
  await until("the text is in the file", () => readFileSync(file, "utf8") === `typed over ${name}: äß€ "'\\\n`);
  // Only revision 2026-07-28 names the server in each result.
  return echo._meta?.["io.modelcontextprotocol/serverInfo"]?.name === "selfagent";
}
