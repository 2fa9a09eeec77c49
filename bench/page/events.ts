// What the page tells whoever runs it: events one by one, each when it is asked for, so that nobody has to look
// again and again while something is timed.
import type { Progress } from '../measure.ts';
import type { Results, Row } from '../results.ts';

export type BenchEvent =
  | {
      readonly kind: 'start';
      readonly adapter: string;
      readonly set: string;
      readonly workloads: readonly string[];
      readonly contestants: readonly string[];
    }
  /** Of the whole run, 0 to 1. */
  | { readonly kind: 'progress'; readonly text: string; readonly done: number }
  | { readonly kind: 'rows'; readonly workload: string; readonly rows: readonly Row[] }
  | { readonly kind: 'done'; readonly results: Results; readonly svg: string }
  | { readonly kind: 'failed'; readonly message: string };

/** `window.gatewiseBench`: the one handle between the page and the command, or a test. */
export interface BenchHandle {
  /** The next event that was not yet given, once there is one. */
  next(): Promise<BenchEvent>;
}

declare global {
  interface Window {
    gatewiseBench: BenchHandle;
  }
}

export class Events implements BenchHandle {
  readonly #waiting: BenchEvent[] = [];
  #take: ((event: BenchEvent) => void) | undefined;

  send(event: BenchEvent): void {
    const take = this.#take;
    this.#take = undefined;
    if (take === undefined) this.#waiting.push(event);
    else take(event);
  }

  next(): Promise<BenchEvent> {
    const event = this.#waiting.shift();
    if (event !== undefined) return Promise.resolve(event);
    return new Promise((resolve) => {
      this.#take = resolve;
    });
  }
}

/** The words for what goes on. */
export const progressText = ({ workload, contestant, doing }: Progress): string =>
  `${workload}: ${doing} ${contestant}`;
