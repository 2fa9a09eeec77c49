// Check mode: each step of a plan runs on the device and again on the CPU from the same inputs. The first difference beyond the
// op's tolerance is an error with the step, the op, the element and both values.
import { GatewiseError } from '../../core/errors.ts';
import { sizeOf, type NumberArray } from '../../core/shape.ts';
import { walk } from '../../core/view.ts';
import type { Step } from '../../plan/plan.ts';
import type { Region } from '../../plan/target.ts';
import { runStep } from '../cpu/cpu_backend.ts';
import type { HostTarget } from '../cpu/kernels/index.ts';
import type { WebGPUBuffer } from './buffers.ts';
import type { WebGPUExecutable } from './executable.ts';
import type { Staging } from './staging.ts';

/** Runs the checked runs of all plans one after the other, since each reads and writes memory between its steps. */
export class CheckQueue {
  /** Settles with the runs so far; after a failure it stays rejected. */
  done: Promise<void> = Promise.resolve();

  add(run: () => Promise<void>): Promise<void> {
    this.done = this.done.then(run);
    // Reads of results report the failure. Without a read, the rejection must not end the process.
    this.done.catch(() => undefined);
    return this.done;
  }
}

/** Runs the steps of an executable in check mode. */
export class CheckedExecutable {
  readonly #device: GPUDevice;
  readonly #executable: WebGPUExecutable;
  readonly #staging: Staging;
  readonly #queue: CheckQueue;
  readonly #reference: HostTarget;

  constructor(
    device: GPUDevice,
    executable: WebGPUExecutable,
    staging: Staging,
    queue: CheckQueue,
    reference: HostTarget,
  ) {
    this.#device = device;
    this.#executable = executable;
    this.#staging = staging;
    this.#queue = queue;
    this.#reference = reference;
  }

  run(
    args: readonly WebGPUBuffer[],
    outputs: readonly WebGPUBuffer[],
    reads: readonly number[],
    runs: (step: number) => boolean,
  ): Promise<NumberArray>[] {
    const done = this.#queue.add(() => this.#checkAll(args, outputs, runs));
    return reads.map(async (index) => {
      await done;
      const { buffer, view, dtype } = this.#executable.plan.outputs[index];
      const all = await this.#fetch({ buffer, view, dtype }, args, outputs);
      return all.slice(view.offset, view.offset + sizeOf(view.shape));
    });
  }

  async #checkAll(
    args: readonly WebGPUBuffer[],
    outputs: readonly WebGPUBuffer[],
    runs: (step: number) => boolean,
  ): Promise<void> {
    for (const [index, step] of this.#executable.plan.steps.entries()) {
      if (!runs(index)) continue;
      const memory = new Map<number, NumberArray>();
      for (const region of [...step.inputs, ...step.outputs]) {
        if (!memory.has(region.buffer)) memory.set(region.buffer, await this.#fetch(region, args, outputs));
      }
      const encoder = this.#device.createCommandEncoder({ label: 'gatewise check' });
      const pass = encoder.beginComputePass({ label: step.label });
      this.#executable.encode(pass, args, outputs, (other) => other === index);
      pass.end();
      this.#device.queue.submit([encoder.finish()]);
      runStep(step, this.#reference, (buffer) => memory.get(buffer) ?? new Float32Array(0));
      for (const region of step.outputs) {
        const got = await this.#fetch(region, args, outputs);
        compare(step, index, region, got, memory.get(region.buffer) ?? got);
      }
    }
  }

  #fetch(
    { buffer, dtype }: Region,
    args: readonly WebGPUBuffer[],
    outputs: readonly WebGPUBuffer[],
  ): Promise<NumberArray> {
    const source = this.#executable.bufferOf(buffer, args, outputs);
    const encoder = this.#device.createCommandEncoder({ label: 'gatewise check' });
    const readback = this.#staging.copy(encoder, source, 0, source.size / 4, dtype);
    this.#device.queue.submit([encoder.finish()]);
    return readback.read();
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
