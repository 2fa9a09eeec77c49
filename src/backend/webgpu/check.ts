// Check mode: each step of a plan runs on the device and again on the CPU from the same inputs. The first difference beyond the
// op's tolerance is an error with the step, the op, the element and both values.
import { GatewiseError } from '../../core/errors.ts';
import { sizeOf, type NumberArray } from '../../core/shape.ts';
import { walk } from '../../core/view.ts';
import type { Step } from '../../plan/plan.ts';
import type { Region, Target } from '../../plan/target.ts';
import { runStep } from '../cpu/cpu_backend.ts';
import { referenceTarget } from '../cpu/kernels/index.ts';
import type { CPUKernel } from '../cpu/kernels/kernel.ts';
import type { ExternalBuffers } from './bind_groups.ts';
import type { WebGPUExecutable } from './executable.ts';
import type { Staging } from './staging.ts';

/** Runs plans step by step, one run after the other, since each reads and writes memory between its steps. */
export class Checker {
  /** Settles with the runs so far; after a failure it stays rejected. */
  done: Promise<void> = Promise.resolve();
  readonly #staging: Staging;
  readonly #reference: Target<CPUKernel>;

  /** @param reference The CPU kernels to compare with. */
  constructor(staging: Staging, reference: Target<CPUKernel> = referenceTarget) {
    this.#staging = staging;
    this.#reference = reference;
  }

  /** @param reads The outputs to read back. @param runs Whether to run a step. */
  run(
    executable: WebGPUExecutable,
    external: ExternalBuffers,
    reads: readonly number[],
    runs: (step: number) => boolean,
  ): Promise<NumberArray>[] {
    const done = this.done.then(() => this.#checkSteps(executable, external, runs));
    this.done = done;
    // Reads of results report the failure. Without a read, the rejection must not end the process.
    done.catch(() => undefined);
    return reads.map(async (index) => {
      await done;
      const output = executable.plan.outputs[index];
      const { shape, offset } = output.view;
      const all = await this.#fetch(executable, external, output);
      return all.slice(offset, offset + sizeOf(shape));
    });
  }

  async #checkSteps(
    executable: WebGPUExecutable,
    external: ExternalBuffers,
    runs: (step: number) => boolean,
  ): Promise<void> {
    for (const [index, step] of executable.plan.steps.entries()) {
      if (!runs(index)) continue;
      const memory = new Map<number, NumberArray>();
      for (const region of [...step.inputs, ...step.outputs]) {
        if (!memory.has(region.buffer))
          memory.set(region.buffer, await this.#fetch(executable, external, region));
      }
      executable.run(external, [], (other) => other === index, step.label);
      runStep(step, this.#reference, (buffer) => memory.get(buffer) ?? new Float32Array(0));
      for (const region of step.outputs) {
        const got = await this.#fetch(executable, external, region);
        compare(step, index, region, got, memory.get(region.buffer) ?? got);
      }
    }
  }

  /** The contents of a region's whole buffer. */
  #fetch(
    executable: WebGPUExecutable,
    external: ExternalBuffers,
    { buffer, dtype }: Region,
  ): Promise<NumberArray> {
    const source = executable.bufferOf(buffer, external);
    return this.#staging.fetch(source, source.size, dtype);
  }
}

/** @throws GatewiseError `mismatch` if the difference exceeds absolute · max(1, max |expected|) + relative · |expected|. */
function compare(step: Step, index: number, { view }: Region, got: NumberArray, expected: NumberArray): void {
  const { absolute, relative } = step.op.tolerance;
  let scale = 1;
  walk([view], ([at]) => {
    const size = Math.abs(expected[at]);
    if (Number.isFinite(size)) scale = Math.max(scale, size);
  });
  let element = 0;
  walk([view], ([at]) => {
    const limit = absolute * scale + (Number.isFinite(expected[at]) ? relative * Math.abs(expected[at]) : 0);
    // A comparison that is false for NaN, so that a NaN in one of the two fails.
    const isClose = Math.abs(got[at] - expected[at]) <= limit || Object.is(got[at], expected[at]);
    if (!isClose) {
      throw new GatewiseError(
        'mismatch',
        `check: step ${index} (${step.op.name}: ${step.label}), element ${element} of [${view.shape.join(', ')}]: the device gave ${got[at]}, the CPU ${expected[at]}, tolerance ${limit}`,
      );
    }
    element++;
  });
}
