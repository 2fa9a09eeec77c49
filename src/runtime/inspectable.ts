// What everything that has a plan offers (nets, trainers, streams and compiled functions): the plan, its text, a profile, tuning.
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
   * What each step takes on such arguments, and on a GPU the least that it could take: see `printProfile`. It calibrates first,
   * and repeats each step for some 50 ms, in which nothing else should run on the device. Weights, states, optimizer, step
   * count and random numbers stay what they are.
   * @throws GatewiseError `unsupported` (as a rejection) with `check: true`.
   */
  async profile(...args: Args): Promise<Profile> {
    const prepared = this.prepare('profile', ...args);
    return prepared.program.profile(prepared.args);
  }

  /**
   * Measures which kernels are fastest on this device for the steps of such a plan, and uses them from the next run on, here
   * and in all that is planned later. Each kind of step is measured once; results are stored as `createRuntime` says. Nothing
   * else should run on the device meanwhile. Weights and states stay what they are. On the CPU there is nothing to measure.
   * @returns what was measured: nothing if all was known.
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
