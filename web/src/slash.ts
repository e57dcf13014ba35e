// The chat commands that the prompt box completes; the daemon parses and runs them.

export interface SlashCommand {
  name: string;
  args: string;
  description: string;
}

export const slashCommands: readonly SlashCommand[] = [
  { name: "/help", args: "", description: "List the commands" },
  { name: "/screenshot", args: "", description: "Take a picture of the desktop" },
  { name: "/click", args: "X Y", description: "Click at a position on the screen" },
  { name: "/type", args: "TEXT", description: "Type text into the focused window" },
  { name: "/key", args: "KEYS", description: "Press keys, for example ctrl+l" },
  { name: "/shell", args: "COMMAND", description: "Run a shell command" },
];

/** The commands that `text` may still become; empty once it is more than a command's name. */
export function slashMatches(text: string): readonly SlashCommand[] {
  if (!/^\/[a-z_]*$/i.test(text)) return [];
  const prefix = text.toLowerCase();
  return slashCommands.filter((command) => command.name.startsWith(prefix));
}

/** True when Enter should send `text` rather than complete it. */
export function slashComplete(text: string): boolean {
  return slashCommands.some((command) => command.args === "" && command.name === text.toLowerCase());
}
