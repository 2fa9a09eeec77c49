// What the page tells whoever runs it, when it happens, so that nobody has to look again and again while something is
// timed. (Nor wait for a promise of the page from outside: Chrome forgets some when garbage is collected.)
import type { Progress } from '../measure.ts';
import type { Machine, Results } from '../results.ts';

export type BenchEvent =
  | {
      readonly kind: 'start';
      readonly adapter: string;
      readonly set: string;
      readonly workloads: readonly string[];
      readonly contestants: readonly string[];
      /** In how many pages this is to be measured. */
      readonly passes: number;
    }
  /** Of the whole run, 0 to 1. */
  | { readonly kind: 'progress'; readonly text: string; readonly done: number }
  /** What there is after a workload, with earlier passes: all that is left where the browser dies later. */
  | { readonly kind: 'rows'; readonly results: Results }
  /** What this page measured, and that with earlier passes. */
  | {
      readonly kind: 'done';
      readonly pass: Results;
      readonly results: Results;
      readonly svg: string;
    }
  | { readonly kind: 'failed'; readonly message: string };

declare global {
  interface Window {
    /** Is told what happens, where the command or a test has put a listener before the page was loaded. */
    gatewiseBench?: (event: BenchEvent) => unknown;
    /** Put there by the command, before the page was loaded. */
    gatewiseMachine?: Machine;
    /** Put there by the command: what earlier passes measured, of which this one is to be a part. */
    gatewisePasses?: readonly Results[];
  }
}

export function send(event: BenchEvent): void {
  window.gatewiseBench?.(event);
}

/** The words for what goes on. */
export const progressText = ({ workload, contestant, doing }: Progress): string =>
  `${workload}: ${doing} ${contestant}`;
