// The WebGPU backend: buffers, pipelines and submits on one GPUDevice, its own or the application's.
import { GatewiseError } from '../../core/errors.ts';
import type { DType, NumberArray } from '../../core/shape.ts';
import type { Calibration } from '../../plan/calibration.ts';
import type { Plan } from '../../plan/plan.ts';
import type { StepTimes } from '../../plan/profile.ts';
import type { Backend, CalibrateOptions, DeviceBuffer, Executable, TuningMemory } from '../backend.ts';
import { referenceTarget, type HostTarget } from '../cpu/kernels/index.ts';
import { markWritten, Memo } from '../memo.ts';
import type { Choices, TunedKind } from '../tuning.ts';
import { createStorage, WebGPUBuffer } from './buffers.ts';
import { calibrate } from './calibrate.ts';
import { CheckedExecutable, CheckQueue } from './check.ts';
import { describeAdapter, deviceInfoOf } from './device_info.ts';
import { WebGPUExecutable } from './executable.ts';
import { targetOf, webgpuKernels, type WebGPUTarget } from './kernels/index.ts';
import type { WebGPUKernel } from './kernels/kernel.ts';
import { Launcher } from './launches.ts';
import { Nudges } from './nudges.ts';
import { Pipelines } from './pipelines.ts';
import { Staging } from './staging.ts';
import { Stopwatch } from './stopwatch.ts';
import { openKinds, tuneKinds } from './tune.ts';
import { sharesLaunches } from './kernels/recurrent/wavefront.ts';

export interface WebGPUBackendOptions {
  readonly device: GPUDevice;
  /** Whether dispose destroys the device. */
  readonly ownsDevice: boolean;
  /** Check mode: run each step on the CPU as well, and throw if the results differ. */
  readonly check: boolean;
  /** Tuned variants; undefined runs each step in the default variant for the device. */
  readonly tuning: TuningMemory | undefined;
  /** Kernels; the backend's own by default. */
  readonly kernels?: readonly WebGPUKernel[];
  /** CPU kernels for check mode; the CPU backend's own by default. */
  readonly reference?: HostTarget;
}

export class WebGPUBackend implements Backend {
  readonly kind = 'webgpu';
  readonly description: string;
  readonly device: GPUDevice;
  readonly #options: WebGPUBackendOptions;
  readonly #pipelines: Pipelines;
  readonly target: WebGPUTarget;
  readonly #launcher: Launcher;
  readonly #nudges: Nudges;
  readonly #staging: Staging;
  readonly #checks = new CheckQueue();
  #calibration: Promise<Calibration> | undefined;
  /** Calibration that the application requested. One made for a profile is not stored here, so it does not affect later plans. */
  #calibrated: Calibration | undefined;
  /** Resolves when the last measurement ends; measurements run one at a time. */
  #timing: Promise<unknown> = Promise.resolve();
  #failure: GatewiseError | undefined;
  #disposed = false;

  constructor(options: WebGPUBackendOptions) {
    const { device } = options;
    this.#options = options;
    this.device = device;
    this.description = describeAdapter(device);
    const info = deviceInfoOf(device);
    this.target = targetOf(options.kernels ?? webgpuKernels, (step) =>
      sharesLaunches(info, this.#calibrated, step),
    );
    this.#launcher = new Launcher(info, this.target);
    this.#pipelines = new Pipelines(device, (error) => (this.#failure ??= error));
    this.#nudges = new Nudges(device);
    this.#staging = new Staging(device, this.#nudges, () => this.#failure);
    // Errors outside the scopes may be the application's; the label identifies ours.
    device.addEventListener('uncapturederror', this.#onError);
    void device.lost.then(({ reason, message }) => {
      if (this.#disposed) return;
      this.#failure = new GatewiseError(
        'device-lost',
        `the GPU device was lost (${reason}): ${message} Create a new runtime and load the model again.`,
      );
    });
  }

  readonly #onError = ({ error }: GPUUncapturedErrorEvent): void => {
    if (this.#options.ownsDevice || error.message.includes('gatewise'))
      this.#refused('uncaptured', error.message);
  };

  createBuffer(size: number): WebGPUBuffer {
    this.#checkAlive();
    return new WebGPUBuffer(
      this.#scoped(() => createStorage(this.device, size, 'tensor')),
      size,
    );
  }

  /** The next operation throws a device error that occurred before. */
  #checkAlive(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  write(buffer: DeviceBuffer, data: NumberArray): void {
    this.#checkAlive();
    const words = data instanceof Float64Array ? Float32Array.from(data) : data;
    this.device.queue.writeBuffer(own(buffer).buffer, 0, words as GPUAllowSharedBufferSource);
    markWritten([buffer]);
  }

  read(buffer: DeviceBuffer, size: number, dtype: DType): Promise<NumberArray> {
    return this.#options.check
      ? this.#checks.done.then(() => this.#readNow(buffer, size, dtype))
      : this.#readNow(buffer, size, dtype);
  }

  async #readNow(buffer: DeviceBuffer, size: number, dtype: DType): Promise<NumberArray> {
    this.#checkAlive();
    const encoder = this.device.createCommandEncoder({ label: 'gatewise read' });
    const readback = this.#staging.copy(encoder, own(buffer).buffer, 0, size, dtype);
    this.device.queue.submit([encoder.finish()]);
    return readback.arrive();
  }

  copy(source: DeviceBuffer): WebGPUBuffer {
    const copy = this.createBuffer(source.size);
    const encoder = this.device.createCommandEncoder({ label: 'gatewise copy' });
    encoder.copyBufferToBuffer(own(source).buffer, 0, copy.buffer, 0, copy.buffer.size);
    this.device.queue.submit([encoder.finish()]);
    return copy;
  }

  prepare(plan: Plan): Executable {
    // Errors of a plan surface at its creation and its first run; later runs repeat the same commands.
    const executable = this.#make(plan, this.#choices);
    const checked = this.#options.check
      ? new CheckedExecutable(
          this.device,
          executable,
          this.#staging,
          this.#checks,
          this.#options.reference ?? referenceTarget,
        )
      : undefined;
    const { steps, frozen, prefetchFrom } = plan;
    const memo = new Memo(
      steps.some(({ memoised }) => memoised),
      frozen,
    );
    const prefetched = new Memo(
      steps.some(({ prefetchable }) => prefetchable),
      prefetchFrom,
    );
    let first = true;
    return {
      run: (args, outputs, reads) => {
        this.#checkAlive();
        const [memoStale, prefetchStale] = [memo.isStale(args), prefetched.isStale(args)];
        const runs = (step: number): boolean => {
          const { memoised, prefetchable } = steps[step];
          return memoised ? memoStale : !prefetchable || prefetchStale;
        };
        const run = (): Promise<NumberArray>[] =>
          (checked ?? executable).run(args.map(own), outputs.map(own), reads, runs);
        const results = first ? this.#scoped(run) : run();
        first = false;
        memo.remember(args);
        prefetched.remember(args);
        markWritten(outputs);
        return results;
      },
      prefetch: (args, outputs) => {
        // A checked run waits after each step anyway.
        if (this.#failure !== undefined || checked !== undefined || !prefetched.isStale(args)) return;
        const memoStale = memo.isStale(args);
        executable.prefetch(args.map(own), outputs.map(own), (step) =>
          steps[step].memoised ? memoStale : steps[step].prefetchable,
        );
        memo.remember(args);
        prefetched.remember(args);
      },
      time: (args, outputs) =>
        memo.suspend(() => prefetched.suspend(() => this.#time(executable, args.map(own), outputs.map(own)))),
      launched: () =>
        executable.dispatches.map((dispatches, i) => {
          const { names = [] } = this.#launcher.variantsOf(plan.steps[i]) ?? {};
          const variant = names.length > 1 ? executable.variants[i] : undefined;
          return variant === undefined ? { dispatches } : { dispatches, variant };
        }),
      tune: (args, outputs) => this.#tune(plan, args.map(own), outputs.map(own)),
      dispose: () => executable.dispose(),
    };
  }

  get #choices(): Choices {
    return this.#options.tuning?.choicesFor(this.description) ?? {};
  }

  #make(plan: Plan, choices: Choices): WebGPUExecutable {
    return this.#scoped(
      () => new WebGPUExecutable(this.device, this.#pipelines, this.#staging, plan, this.#launcher, choices),
    );
  }

  async #tune(
    plan: Plan,
    args: readonly WebGPUBuffer[],
    outputs: readonly WebGPUBuffer[],
  ): Promise<readonly TunedKind[]> {
    const { check, tuning } = this.#options;
    if (check || tuning === undefined)
      throw new GatewiseError(
        'unsupported',
        check
          ? 'tune: a runtime with check: true waits for the CPU after each step; create one without it'
          : 'tune: the runtime was created with tuning: false; create one without it',
      );
    return this.#alone(async (stopwatch) => {
      const open = openKinds(plan, this.#launcher, this.#choices);
      const make = (part: Plan, choices: Choices): WebGPUExecutable => this.#make(part, choices);
      const tuned = await tuneKinds(stopwatch, plan, open, make, args, outputs);
      tuning.add(this.description, Object.fromEntries(tuned.map(({ kind, variant }) => [kind, variant])));
      return tuned;
    });
  }

  async #time(
    executable: WebGPUExecutable,
    args: readonly WebGPUBuffer[],
    outputs: readonly WebGPUBuffer[],
  ): Promise<StepTimes> {
    if (this.#options.check)
      throw new GatewiseError(
        'unsupported',
        'profile: a runtime with check: true waits for the CPU after each step; create one without it',
      );
    const calibration = await this.#measured();
    const { method } = calibration;
    const seconds = await this.#alone((stopwatch) => executable.time(stopwatch, method, args, outputs));
    return { method, seconds, dispatches: executable.dispatches, calibration };
  }

  calibrate({ again = false }: CalibrateOptions = {}): Promise<Calibration> {
    if (again) this.#calibration = undefined;
    const made = this.#measured();
    // The caller of `calibrate` receives the error.
    made.then(
      (calibration) => (this.#calibrated = calibration),
      () => undefined,
    );
    return made;
  }

  #measured(): Promise<Calibration> {
    if (this.#calibration !== undefined) return this.#calibration;
    const made = this.#alone((stopwatch) =>
      calibrate(this.device, this.#pipelines, this.#staging, stopwatch),
    );
    this.#calibration = made;
    // A failed measurement is retried on the next request.
    made.catch(() => {
      if (this.#calibration === made) this.#calibration = undefined;
    });
    return made;
  }

  /** Serialises measurements, since concurrent ones would affect each other's times. */
  #alone<T>(measure: (stopwatch: Stopwatch) => Promise<T>): Promise<T> {
    const measured = this.#timing.then(async () => {
      this.#checkAlive();
      const stopwatch = new Stopwatch(this.device, this.#staging, () => this.idle());
      try {
        return await measure(stopwatch);
      } finally {
        stopwatch.dispose();
      }
    });
    this.#timing = measured.catch(() => undefined);
    return measured;
  }

  #scoped<T>(action: () => T): T {
    this.device.pushErrorScope('out-of-memory');
    this.device.pushErrorScope('validation');
    try {
      return action();
    } finally {
      // Always pops: a scope left on the stack would capture the application's own errors.
      for (const kind of ['validation', 'out of memory']) {
        // A failed scope means a lost device, which is reported separately.
        void this.device.popErrorScope().then(
          (error) => error !== null && this.#refused(kind, error.message),
          () => undefined,
        );
      }
    }
  }

  #refused(kind: string, message: string): void {
    this.#failure ??= new GatewiseError('device', `the device refused a command (${kind}): ${message}`);
  }

  async idle(): Promise<void> {
    await this.#checks.done;
    await this.#nudges.during(this.device.queue.onSubmittedWorkDone());
    this.#checkAlive();
  }

  dispose(): void {
    this.#disposed = true;
    this.#failure = new GatewiseError('disposed', 'runtime: used after dispose(); create a new one');
    this.device.removeEventListener('uncapturederror', this.#onError);
    this.#staging.dispose();
    if (this.#options.ownsDevice) this.device.destroy();
  }
}

function own(buffer: DeviceBuffer): WebGPUBuffer {
  if (!(buffer instanceof WebGPUBuffer))
    throw new GatewiseError('internal', 'the WebGPU backend was given a buffer of another backend');
  return buffer;
}
