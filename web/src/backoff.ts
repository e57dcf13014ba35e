// Growing pauses between attempts to reach the daemon again.

/** Doubles from `firstMs` to `longestMs`; `reset` after a success. */
export class Backoff {
  private nextMs: number;

  constructor(
    private readonly firstMs: number,
    private readonly longestMs: number,
  ) {
    this.nextMs = firstMs;
  }

  next(): number {
    const pause = this.nextMs;
    this.nextMs = Math.min(this.nextMs * 2, this.longestMs);
    return pause;
  }

  reset(): void {
    this.nextMs = this.firstMs;
  }
}
