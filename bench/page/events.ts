// Messages between the page and the command that runs it. The page calls; nothing polls it while something is timed.
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
  /** Replace those of the set. */
  readonly settings?: Settings;
  /** The contestants of a run against a commit; they replace those of the address. `peers` lists them in the results. */
  readonly builds?: readonly Build[];
  readonly peers?: readonly string[];
}

declare global {
  interface Window {
    /** The listener that the command or a test puts here before the page loads. */
    gatewiseBench?: (event: BenchEvent) => unknown;
    /** The command puts this here before the page loads. */
    gatewiseCommand?: FromCommand;
    /** For the command, once the page is ready. */
    gatewisePage?: { readonly adapter: Adapter; picture(results: Results): string };
  }
}
