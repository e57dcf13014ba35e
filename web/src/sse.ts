// Server-Sent Events out of text that arrives in pieces of any size.
// Source: HTML Living Standard, 9.2.6 "Interpreting an event stream".

export interface SseMessage {
  id: string;
  event: string;
  data: string;
}

export class SseParser {
  private rest = "";
  private id = "";
  private event = "";
  private data: string[] = [];
  private hasId = false;

  /** Returns the messages that `text` completes. `id` is "" for a message that carries none of its own. */
  push(text: string): SseMessage[] {
    const messages: SseMessage[] = [];
    this.rest += text;
    for (;;) {
      const end = this.rest.search(/[\r\n]/);
      if (end < 0) return messages;
      // A lone CR at the end may be the first half of CRLF: wait for what follows.
      if (this.rest[end] === "\r" && end + 1 === this.rest.length) return messages;
      const line = this.rest.slice(0, end);
      this.rest = this.rest.slice(end + (this.rest.startsWith("\r\n", end) ? 2 : 1));
      const message = this.line(line);
      if (message) messages.push(message);
    }
  }

  private line(line: string): SseMessage | undefined {
    if (line === "") return this.dispatch();
    if (line.startsWith(":")) return undefined;
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (field === "event") this.event = value;
    if (field === "data") this.data.push(value);
    if (field === "id") {
      this.id = value;
      this.hasId = true;
    }
    return undefined;
  }

  private dispatch(): SseMessage | undefined {
    const message = {
      id: this.hasId ? this.id : "",
      event: this.event || "message",
      data: this.data.join("\n"),
    };
    const complete = this.data.length > 0;
    this.event = "";
    this.data = [];
    this.hasId = false;
    return complete ? message : undefined;
  }
}
