// Numbers and arguments as a reader wants them.

/** 420 ms, 3.2 s, 41 s, 2:05, 1:02:05. */
export function duration(ms: number): string {
  const positive = Math.max(0, ms);
  if (positive < 995) return `${Math.round(positive)} ms`;
  if (positive < 9_950) return `${(positive / 1000).toFixed(1)} s`;
  return ticking(positive);
}

/** Like duration, without the parts that flicker while a clock ticks: 0 s, 41 s, 2:05. */
export function ticking(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const two = (number: number) => String(number).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  if (hours === 0) return `${minutes}:${two(seconds % 60)}`;
  return `${hours}:${two(minutes)}:${two(seconds % 60)}`;
}

const longestArgument = 64;
const longestSummary = 140;

/** `x=100 y=200 text="hello world"`: one line, as `selfagent call` takes it. */
export function argumentSummary(args: Record<string, unknown>): { text: string; complete: boolean } {
  let complete = true;
  const parts = Object.entries(args).map(([name, value]) => {
    let text = typeof value === "string" ? value : JSON.stringify(value) ?? "null";
    if (/[\r\n]/.test(text)) {
      complete = false;
      text = (text.trim().split(/\r?\n/, 1)[0] ?? "") + " …";
    }
    if (text.length > longestArgument) {
      complete = false;
      text = text.slice(0, longestArgument - 1) + "…";
    }
    if (typeof value === "string" && (text === "" || /[\s"=]/.test(text))) text = `"${text}"`;
    return `${name}=${text}`;
  });
  let text = parts.join(" ");
  if (text.length > longestSummary) {
    complete = false;
    text = text.slice(0, longestSummary - 1) + "…";
  }
  return { text, complete };
}

/** Every argument in full: strings as they are, everything else as JSON. */
export function argumentDetail(args: Record<string, unknown>): string {
  return Object.entries(args)
    .map(([name, value]) => {
      const text = typeof value === "string" ? value : JSON.stringify(value, null, 2) ?? "null";
      return text.includes("\n") ? `${name}:\n${text.replace(/\n$/, "")}` : `${name}: ${text}`;
    })
    .join("\n");
}

/** now, 5 min, 14:05, 3 May. */
export function moment(ms: number, nowMs = Date.now()): string {
  const age = nowMs - ms;
  if (age < 60_000) return "now";
  if (age < 3_600_000) return `${Math.floor(age / 60_000)} min`;
  const date = new Date(ms);
  if (date.toDateString() === new Date(nowMs).toDateString()) {
    return date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  }
  return date.toLocaleDateString(undefined, { day: "numeric", month: "short" });
}

/** 812 bytes, 4.2 kB, 37 MB. */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  const [unit, divisor] = bytes < 1e6 ? (["kB", 1e3] as const) : bytes < 1e9 ? (["MB", 1e6] as const) : (["GB", 1e9] as const);
  const number = bytes / divisor;
  return `${number < 9.95 ? number.toFixed(1) : Math.round(number)} ${unit}`;
}
