// The order of work on a device's queue while pipelines compile: an action waits for its pipelines, and later actions wait behind
// it, so that the device sees them in the order of the calls and no call blocks.

interface Waiting {
  readonly ready: Promise<void> | undefined;
  readonly act: () => void;
}

export class QueueTimeline {
  readonly #waiting: Waiting[] = [];

  /** Whether an action would wait, even without pipelines of its own. */
  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /**
   * Acts at once, or after all earlier actions and after `ready`.
   * @param act What to do. @param ready Never rejects; undefined if nothing has to be compiled.
   */
  enqueue<T>(act: () => T, ready?: Promise<void>): T | Promise<Awaited<T>> {
    if (ready === undefined && !this.isWaiting) return act();
    return new Promise<Awaited<T>>((resolve, reject) => {
      const settle = (): void => {
        try {
          resolve(act() as Awaited<T>);
        } catch (error) {
          reject(error);
        }
      };
      if (this.#waiting.push({ ready, act: settle }) === 1) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    for (let next = this.#waiting.at(0); next !== undefined; next = this.#waiting.at(0)) {
      await next.ready;
      if (this.#waiting.at(0) !== next) continue;
      this.#waiting.shift();
      next.act();
    }
  }

  /** Acts now on everything that waits; pipelines that are not compiled yet block the caller. */
  flush(): void {
    for (const { act } of this.#waiting.splice(0)) act();
  }

  /** Resolves when nothing waits that was enqueued before this call. */
  async settled(): Promise<void> {
    await this.enqueue(() => undefined);
  }
}
