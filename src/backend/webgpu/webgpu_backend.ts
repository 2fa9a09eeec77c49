// The WebGPU backend: allocates buffers and prepares plans on one GPUDevice, which it owns or which belongs to the application.
import { GatewiseError } from '../../core/errors.ts';
import type { DType, NumberArray } from '../../core/shape.ts';
import { isShared } from '../../core/typed_array.ts';
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
import { CompletionPolling } from './completion_polling.ts';
import { describeAdapter, deviceInfoOf } from './device_info.ts';
import { WebGPUExecutable } from './executable.ts';
import { targetOf, webgpuKernels, type WebGPUTarget } from './kernels/index.ts';
import type { WebGPUKernel } from './kernels/kernel.ts';
import { Launcher } from './launches.ts';
import { Pipelines } from './pipelines.ts';
import { Staging } from './staging.ts';
import { DeviceTimer } from './timing.ts';
import { tuneKinds, untunedKinds } from './tune.ts';
import { sharesLaunches } from './kernels/recurrent/wavefront.ts';

export interface WebGPUBackendOptions {
  readonly device: GPUDevice;
  /** Whether `dispose` destroys the device. */
  readonly ownsDevice: boolean;
  /** Whether to run each step on the CPU as well, and throw if the results differ. */
  readonly check: boolean;
  /** The tuned choices of variants. If undefined, each step runs in the default variant for the device. */
  readonly tuning: TuningMemory | undefined;
  /** The backend's kernels by default. */
  readonly kernels?: readonly WebGPUKernel[];
  /** The CPU kernels that check mode compares with; those of the CPU backend by default. */
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
  readonly #polling: CompletionPolling;
  readonly #staging: Staging;
  readonly #checks = new CheckQueue();
  #calibration: Promise<Calibration> | undefined;
  /** The calibration that plans may use: set by `calibrate`, not by a profile, so that a profile does not change later plans. */
  #planCalibration: Calibration | undefined;
  /** Settles with the latest measurement. Measurements run one at a time. */
  #measurements: Promise<unknown> = Promise.resolve();
  /** The first error of the device, or of its use after `dispose`. The next operation throws it. */
  #failure: GatewiseError | undefined;
  #disposed = false;

  constructor(options: WebGPUBackendOptions) {
    const { device } = options;
    this.#options = options;
    this.device = device;
    this.description = describeAdapter(device);
    const info = deviceInfoOf(device);
    this.target = targetOf(options.kernels ?? webgpuKernels, (step) =>
      sharesLaunches(info, this.#planCalibration, step),
    );
    this.#launcher = new Launcher(info, this.target);
    this.#pipelines = new Pipelines(device, (error) => (this.#failure ??= error));
    this.#polling = new CompletionPolling(device);
    this.#staging = new Staging(device, this.#polling, () => this.#failure);
    // On a device of the application uncaptured errors may be its own; those of this library contain its label.
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
      this.#fail('uncaptured', error.message);
  };

  createBuffer(size: number): WebGPUBuffer {
    this.#checkAlive();
    return new WebGPUBuffer(
      this.#scoped(() => createStorage(this.device, size, 'tensor')),
      size,
    );
  }

  /** @throws GatewiseError if the device has failed. */
  #checkAlive(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  write(buffer: DeviceBuffer, data: NumberArray): void {
    this.#checkAlive();
    const words = data instanceof Float64Array ? Float32Array.from(data) : data;
    // Dawn for Node takes no shared memory. A copy by slice() is not shared.
    const own = isShared(words) ? words.slice() : words;
    this.device.queue.writeBuffer(asWebGPUBuffer(buffer).buffer, 0, own as GPUAllowSharedBufferSource);
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
    const readback = this.#staging.copy(encoder, asWebGPUBuffer(buffer).buffer, 0, size, dtype);
    this.device.queue.submit([encoder.finish()]);
    return readback.read();
  }

  copy(source: DeviceBuffer): WebGPUBuffer {
    const copy = this.createBuffer(source.size);
    const encoder = this.device.createCommandEncoder({ label: 'gatewise copy' });
    encoder.copyBufferToBuffer(asWebGPUBuffer(source).buffer, 0, copy.buffer, 0, copy.buffer.size);
    this.device.queue.submit([encoder.finish()]);
    return copy;
  }

  prepare(plan: Plan): Executable {
    const executable = this.#createExecutable(plan, this.#choices);
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
    let isFirstRun = true;
    return {
      run: (args, outputs, reads) => {
        this.#checkAlive();
        const [memoStale, prefetchStale] = [memo.isStale(args), prefetched.isStale(args)];
        const runs = (step: number): boolean => {
          const { memoised, prefetchable } = steps[step];
          return memoised ? memoStale : !prefetchable || prefetchStale;
        };
        const run = (): Promise<NumberArray>[] =>
          (checked ?? executable).run(args.map(asWebGPUBuffer), outputs.map(asWebGPUBuffer), reads, runs);
        // Later runs repeat the commands of the first one, so errors of validation show in the first.
        const results = isFirstRun ? this.#scoped(run) : run();
        isFirstRun = false;
        memo.remember(args);
        prefetched.remember(args);
        markWritten(outputs);
        return results;
      },
      prefetch: (args, outputs) => {
        // Check mode waits for the device after each step, so a prefetch would gain nothing.
        if (this.#failure !== undefined || checked !== undefined || !prefetched.isStale(args)) return;
        const memoStale = memo.isStale(args);
        executable.prefetch(args.map(asWebGPUBuffer), outputs.map(asWebGPUBuffer), (step) =>
          steps[step].memoised ? memoStale : steps[step].prefetchable,
        );
        memo.remember(args);
        prefetched.remember(args);
      },
      time: (args, outputs) =>
        memo.suspend(() =>
          prefetched.suspend(() =>
            this.#time(executable, args.map(asWebGPUBuffer), outputs.map(asWebGPUBuffer)),
          ),
        ),
      launched: () =>
        executable.dispatches.map((dispatches, i) => {
          const { names = [] } = this.#launcher.variantsOf(plan.steps[i]) ?? {};
          const variant = names.length > 1 ? executable.variants[i] : undefined;
          return variant === undefined ? { dispatches } : { dispatches, variant };
        }),
      tune: (args, outputs) => this.#tune(plan, args.map(asWebGPUBuffer), outputs.map(asWebGPUBuffer)),
      dispose: () => executable.dispose(),
    };
  }

  get #choices(): Choices {
    return this.#options.tuning?.choicesFor(this.description) ?? {};
  }

  #createExecutable(plan: Plan, choices: Choices): WebGPUExecutable {
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
    return this.#exclusively(async (timer) => {
      const kinds = untunedKinds(plan, this.#launcher, this.#choices);
      const make = (part: Plan, choices: Choices): WebGPUExecutable => this.#createExecutable(part, choices);
      const tuned = await tuneKinds(timer, plan, kinds, make, args, outputs);
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
    const calibration = await this.#calibrateOnce();
    const { method } = calibration;
    const seconds = await this.#exclusively((timer) => executable.time(timer, method, args, outputs));
    return { method, seconds, dispatches: executable.dispatches, calibration };
  }

  calibrate({ again = false }: CalibrateOptions = {}): Promise<Calibration> {
    if (again) this.#calibration = undefined;
    const result = this.#calibrateOnce();
    // The caller handles a rejection of the returned promise.
    result.then(
      (calibration) => (this.#planCalibration = calibration),
      () => undefined,
    );
    return result;
  }

  /** The calibration of the device, measured on the first call and again after a failure. */
  #calibrateOnce(): Promise<Calibration> {
    if (this.#calibration !== undefined) return this.#calibration;
    const result = this.#exclusively((timer) =>
      calibrate(this.device, this.#pipelines, this.#staging, timer),
    );
    this.#calibration = result;
    result.catch(() => {
      if (this.#calibration === result) this.#calibration = undefined;
    });
    return result;
  }

  /** Runs a measurement after all earlier ones have ended, so that they do not disturb each other. */
  #exclusively<T>(measure: (timer: DeviceTimer) => Promise<T>): Promise<T> {
    const result = this.#measurements.then(async () => {
      this.#checkAlive();
      const timer = new DeviceTimer(this.device, this.#staging, () => this.idle());
      try {
        return await measure(timer);
      } finally {
        timer.dispose();
      }
    });
    this.#measurements = result.catch(() => undefined);
    return result;
  }

  /** Runs an action within error scopes; an error becomes the failure of the device. */
  #scoped<T>(action: () => T): T {
    this.device.pushErrorScope('out-of-memory');
    this.device.pushErrorScope('validation');
    try {
      return action();
    } finally {
      // Also popped after an exception: a scope that stays would capture errors of the application.
      for (const kind of ['validation', 'out of memory']) {
        // popErrorScope rejects on a lost device, which `device.lost` reports.
        void this.device.popErrorScope().then(
          (error) => error !== null && this.#fail(kind, error.message),
          () => undefined,
        );
      }
    }
  }

  #fail(kind: string, message: string): void {
    this.#failure ??= new GatewiseError('device', `the device refused a command (${kind}): ${message}`);
  }

  async idle(): Promise<void> {
    await this.#checks.done;
    await this.#polling.during(this.device.queue.onSubmittedWorkDone());
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

function asWebGPUBuffer(buffer: DeviceBuffer): WebGPUBuffer {
  if (!(buffer instanceof WebGPUBuffer))
    throw new GatewiseError('internal', 'the WebGPU backend was given a buffer of another backend');
  return buffer;
}
