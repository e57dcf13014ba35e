// What the page remembers in this browser. Storage may be forbidden; then nothing is remembered.

const prefix = "selfagent.";

export function stored(name: string): string | undefined {
  try {
    return localStorage.getItem(prefix + name) ?? undefined;
  } catch {
    return undefined;
  }
}

export function store(name: string, value: string): void {
  try {
    localStorage.setItem(prefix + name, value);
  } catch {
    // Not worth a message.
  }
}
