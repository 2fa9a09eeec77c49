// The plan of a net's `run`, a stream's `push`, a trainer's `step` or a compiled function: as data, as text, compiled ahead, measured and tuned.
// The arguments are those of the method or function. Nothing is run for the caller: weights, states, optimizer, step count and random
// numbers do not change.
import type { DeviceBuffer } from '../backend/backend.ts';
import type { TunedKind } from '../backend/tuning.ts';
import { sizeOf } from '../core/shape.ts';
import type { Plan } from '../plan/plan.ts';
import { printPlan } from '../plan/print.ts';
import { joinProfiles, profileOf, type Profile } from '../plan/profile.ts';
import { PREPARE, type Planned, type Prepared } from '../runtime/program.ts';

/** The plan for such arguments, as data. Of a stream it is the plan of a push without what is prefetched. */
export function plan<Args extends readonly unknown[]>(of: Planned<Args>, ...args: Args): Plan {
  const all = of[PREPARE]('plan', ...args);
  return all[all.length - 1].specialization.plan;
}

/**
 * The plan for such arguments as text, with the kernel variants and dispatches that the backend launches; of a stream first the plan
 * of what is prefetched.
 */
export function explain<Args extends readonly unknown[]>(of: Planned<Args>, ...args: Args): string {
  const all = of[PREPARE]('explain', ...args).map(({ specialization }) => specialization);
  const title = (name: string): string => (all.length > 1 ? `${name}:\n` : '');
  return all
    .map(({ name, plan: own, executable }) => title(name) + printPlan(own, executable.launched()))
    .join('\n\n');
}

/**
 * Compiles the pipelines for such arguments. A first run or `encode` with arguments of these shapes then neither waits for them nor
 * blocks.
 */
export async function prepare<Args extends readonly unknown[]>(
  of: Planned<Args>,
  ...args: Args
): Promise<void> {
  const all = of[PREPARE]('prepare', ...args);
  await Promise.all(all.map(({ specialization }) => specialization.executable.compiling));
}

/**
 * Measures the time of each step for such arguments; on a GPU the profile also has each step's floor. `printProfile` prints it.
 * Calibrates first, and repeats each step for some 50 ms, during which nothing else should run on the device.
 * @throws GatewiseError `unsupported` (as a rejection) with `check: true`.
 */
export async function profile<Args extends readonly unknown[]>(
  of: Planned<Args>,
  ...args: Args
): Promise<Profile> {
  const profiles = await Promise.all(
    of[PREPARE]('profile', ...args).map((prepared) => {
      const { plan: measured, executable, backend } = prepared.specialization;
      return onCopies(prepared, async (inputs, outputs) =>
        profileOf(measured, await executable.time(inputs, outputs), backend.description),
      );
    }),
  );
  return joinProfiles(profiles);
}

/**
 * Measures which kernel variants are fastest on this device for the steps of such a plan. The next run and all later plans use them.
 * It measures each kind of step once and stores the result (option `tuning` of `createRuntime`). Nothing else should run on the
 * device meanwhile. On the CPU there is nothing to measure.
 * @returns The kinds of steps that it measured: none if all were known.
 * @throws GatewiseError `unsupported` (as a rejection) with `check: true` or `tuning: false`.
 */
export async function tune<Args extends readonly unknown[]>(
  of: Planned<Args>,
  ...args: Args
): Promise<readonly TunedKind[]> {
  const tuned: TunedKind[] = [];
  for (const prepared of of[PREPARE]('tune', ...args)) {
    const { specialization } = prepared;
    const { executable } = specialization;
    tuned.push(...(await onCopies(prepared, (inputs, outputs) => executable.tune(inputs, outputs))));
    // Prepared again even if nothing was measured: another program may have tuned the same kinds of steps.
    specialization.prepareAgain();
  }
  return tuned;
}

/** Acts on copies of the arguments, so that donated ones do not change. */
async function onCopies<T>(
  { specialization, args }: Prepared,
  action: (inputs: readonly DeviceBuffer[], outputs: readonly DeviceBuffer[]) => Promise<T>,
): Promise<T> {
  const { backend, plan: copied } = specialization;
  const copies: DeviceBuffer[] = [];
  const own = (buffer: DeviceBuffer): DeviceBuffer => {
    copies.push(buffer);
    return buffer;
  };
  try {
    const inputs = specialization.upload(args).map((buffer) => own(backend.copy(buffer)));
    const outputs = specialization.outputBuffers(inputs, (i) => {
      const { view, dtype } = copied.outputs[i];
      return own(backend.createBuffer(sizeOf(view.shape), dtype));
    });
    return await action(inputs, outputs);
  } finally {
    for (const buffer of copies) buffer.destroy();
  }
}
