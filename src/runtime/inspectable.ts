// The methods of everything that has a plan (nets, trainers, streams, compiled functions): plan, explain, profile and tune.
import type { TunedKind } from '../backend/tuning.ts';
import type { Plan } from '../plan/plan.ts';
import type { Profile } from '../plan/profile.ts';
import type { Prepared } from './program.ts';

/** @template Args The arguments of the function that has the plan, such as those of `net.run`. */
export abstract class Inspectable<Args extends readonly unknown[]> implements Disposable {
  /** The program for such arguments, and what to run it with. @param method The caller, for errors. */
  protected abstract prepare(method: string, ...args: Args): Prepared;

  /** The plan for such arguments, as data. */
  plan(...args: Args): Plan {
    return this.prepare('plan', ...args).program.plan;
  }

  /** The plan for such arguments, as text. */
  explain(...args: Args): string {
    return this.prepare('explain', ...args).program.explain();
  }

  /**
   * Measures the time of each step for such arguments; on a GPU the profile also has each step's floor. `printProfile` prints
   * it. Calibrates first, and repeats each step for some 50 ms, during which nothing else should run on the device. Weights,
   * states, optimizer, step count and random numbers do not change.
   * @throws GatewiseError `unsupported` (as a rejection) with `check: true`.
   */
  async profile(...args: Args): Promise<Profile> {
    const prepared = this.prepare('profile', ...args);
    return prepared.program.profile(prepared.args);
  }

  /**
   * Measures which kernel variants are fastest on this device for the steps of such a plan. The next run and all later plans use
   * them. It measures each kind of step once and stores the result (option `tuning` of `createRuntime`). Nothing else should run
   * on the device meanwhile. Weights and states do not change. On the CPU there is nothing to measure.
   * @returns The kinds of steps that it measured: none if all were known.
   * @throws GatewiseError `unsupported` (as a rejection) with `check: true` or `tuning: false`.
   */
  async tune(...args: Args): Promise<readonly TunedKind[]> {
    const prepared = this.prepare('tune', ...args);
    return prepared.program.tune(prepared.args);
  }

  abstract dispose(): void;

  [Symbol.dispose](): void {
    this.dispose();
  }
}
