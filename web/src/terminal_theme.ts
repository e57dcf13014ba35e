// The terminal's colours: the page's own, and sixteen that can be read on them.
import type { ITheme } from "@xterm/xterm";

const light: ITheme = {
  black: "#1b1f27", red: "#b3261e", green: "#1a7f37", yellow: "#8a6100",
  blue: "#2f4bc0", magenta: "#8b3fb0", cyan: "#0b7285", white: "#6b7280",
  brightBlack: "#57606e", brightRed: "#d1372f", brightGreen: "#218a45", brightYellow: "#9a6700",
  brightBlue: "#3b5bdb", brightMagenta: "#a347cf", brightCyan: "#1185a0", brightWhite: "#8b949e",
  selectionBackground: "#c7d2fe",
};

const dark: ITheme = {
  black: "#262b35", red: "#ff8787", green: "#51cf80", yellow: "#f0c05a",
  blue: "#8ba3ff", magenta: "#d6a2f5", cyan: "#66d9e8", white: "#d3d8e0",
  brightBlack: "#8790a0", brightRed: "#ffa8a8", brightGreen: "#8ce99a", brightYellow: "#ffd97a",
  brightBlue: "#a5b6ff", brightMagenta: "#e5c1ff", brightCyan: "#99e9f2", brightWhite: "#f1f3f7",
  selectionBackground: "#3a4a86",
};

export function terminalTheme(): ITheme {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string) => style.getPropertyValue(name).trim();
  return {
    ...(style.colorScheme.includes("dark") ? dark : light),
    background: color("--panel"),
    foreground: color("--text"),
    cursor: color("--accent"),
    cursorAccent: color("--panel"),
  };
}

/** Calls `changed` when the page's colours may be others. */
export function onThemeChange(changed: () => void): void {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  new MutationObserver(changed).observe(document.documentElement, { attributeFilter: ["data-theme"] });
}
