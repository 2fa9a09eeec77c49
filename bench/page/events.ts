// What the page and the command that runs it say to each other. The page calls; nobody polls it while something is timed.
// (A promise of the page cannot be awaited from outside: Chrome forgets some when garbage is collected.)
import type { PassEvent } from '../benchmark.ts';
import type { Build } from '../contestants/gatewise.ts';
import type { Adapter, Machine, Results, Settings } from '../results.ts';

export type BenchEvent =
  | PassEvent
  | { readonly kind: 'done'; readonly results: Results }
  | { readonly kind: 'failed'; readonly message: string };

export interface FromCommand {
  readonly machine: Machine;
  /** In place of those of the set. */
  readonly settings?: Settings;
  /** Contestants of a run against a commit, in place of those of the address; and what `peers` says of them. */
  readonly builds?: readonly Build[];
  readonly peers?: readonly string[];
}

declare global {
  interface Window {
    /** Hears what happens, where the command or a test has put a listener before the page was loaded. */
    gatewiseBench?: (event: BenchEvent) => unknown;
    /** Put there by the command before the page was loaded. */
    gatewiseCommand?: FromCommand;
    /** For the command, once the page is ready. */
    gatewisePage?: { readonly adapter: Adapter; picture(results: Results): string };
  }
}
