// The WebGPU backend: allocates buffers and prepares plans on one GPUDevice, which it owns or which belongs to the application.
import { GatewiseError } from '../../core/errors.ts';
import type { DType, NumberArray } from '../../core/shape.ts';
import type { Calibration } from '../../plan/calibration.ts';
import type { Plan } from '../../plan/plan.ts';
import type { Target } from '../../plan/target.ts';
import type { Backend, CalibrateOptions, DeviceBuffer, Executable, Run, TuningMemory } from '../backend.ts';
import { markWritten, Memo } from '../memo.ts';
import type { Choices } from '../tuning.ts';
import type { ExternalBuffers } from './bind_groups.ts';
import {
  asWebGPUBuffer,
  bindingBytes,
  createStorage,
  importStorage,
  usable,
  type WebGPUBuffer,
} from './buffers.ts';
import type { Checker } from './check.ts';
import { CompletionPolling } from './completion_polling.ts';
import { describeAdapter, deviceInfoOf } from './device_info.ts';
import { externalBuffers, WebGPUExecutable } from './executable.ts';
import { targetOf, webgpuKernels } from './kernels/index.ts';
import type { WebGPUKernel } from './kernels/kernel.ts';
import { sharesLaunches } from './kernels/recurrent/wavefront.ts';
import { Launcher } from './launches.ts';
import type { Measurements } from './measurements.ts';
import { Pipelines, type CompileProgress } from './pipelines.ts';
import { QueueTimeline } from './queue_timeline.ts';
import { SharedTemporaries } from './shared_temporaries.ts';
import { createStaging, type Staging } from './staging.ts';

export interface WebGPUBackendOptions {
  readonly device: GPUDevice;
  /** Whether `dispose` destroys the device. */
  readonly ownsDevice: boolean;
  /** Makes what runs each step on the CPU as well, and throws if the results differ. */
  readonly checker?: ((staging: Staging) => Checker) | undefined;
  /** The tuned choices of variants. If undefined, each step runs in the default variant for the device. */
  readonly tuning: TuningMemory | undefined;
  /** Called as the device compiles pipelines. */
  readonly onCompile?: ((progress: CompileProgress) => void) | undefined;
  /** The backend's kernels by default. */
  readonly kernels?: readonly WebGPUKernel[];
}

/** Records a run of a prepared plan into the pass of another one. */
type Recorder = (pass: GPUComputePassEncoder, run: Run) => void;

export class WebGPUBackend implements Backend {
  readonly kind = 'webgpu';
  readonly isConcurrent = true;
  readonly description: string;
  readonly device: GPUDevice;
  readonly #options: WebGPUBackendOptions;
  readonly #pipelines: Pipelines;
  readonly #timeline = new QueueTimeline();
  readonly target: Target<WebGPUKernel>;
  readonly #launcher: Launcher;
  readonly #polling: CompletionPolling;
  readonly #staging: Staging;
  readonly #temporaries: SharedTemporaries;
  readonly #recorders = new WeakMap<Executable, Recorder>();
  /** In check mode. */
  readonly #checker: Checker | undefined;
  /** The calibration that plans may use: set by `calibrate`, not by a profile, so that a profile does not change later plans. */
  #planCalibration: Calibration | undefined;
  #loadedMeasurements: Promise<Measurements> | undefined;
  /** The first error of the device, or of its use after `dispose`. The next operation throws it. */
  #failure: GatewiseError | undefined;
  #disposed = false;

  constructor(options: WebGPUBackendOptions) {
    const { device } = options;
    this.#options = options;
    this.device = device;
    this.description = describeAdapter(device);
    const info = deviceInfoOf(device);
    this.target = targetOf(
      options.kernels ?? webgpuKernels,
      (step) => sharesLaunches(info, this.#planCalibration, step),
      bindingBytes(device),
    );
    this.#launcher = new Launcher(info, this.target);
    this.#pipelines = new Pipelines(
      device,
      (error) => (this.#failure ??= error),
      (progress) => options.onCompile?.(progress),
    );
    this.#polling = new CompletionPolling(device);
    this.#temporaries = new SharedTemporaries(device);
    this.#staging = createStaging(device, this.#polling, () => this.#failure);
    this.#checker = options.checker?.(this.#staging);
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
    const destroy = (gpuBuffer: GPUBuffer): void => this.#act([], () => gpuBuffer.destroy());
    return this.#scoped(() => createStorage(this.device, size, 'tensor', destroy));
  }

  /**
   * Acts in the order of the device's queue, and waits for pipelines, but not if the application may use what the action touches:
   * its own commands could come first. @param compiling Settles when the action's pipelines are compiled.
   */
  #enqueue<T>(
    touched: readonly DeviceBuffer[],
    act: () => T,
    compiling?: Promise<void>,
  ): T | Promise<Awaited<T>> {
    if (!touched.some((buffer) => asWebGPUBuffer(buffer).isShared))
      return this.#timeline.enqueue(act, compiling);
    this.#timeline.flush();
    return act();
  }

  /** As `#enqueue`, of an action without a result. A failure of one that had to wait shows in the next operation. */
  #act(touched: readonly DeviceBuffer[], act: () => void): void {
    const done = this.#enqueue(touched, act);
    if (done instanceof Promise) done.catch((error: GatewiseError) => (this.#failure ??= error));
  }

  share(buffer: DeviceBuffer): void {
    asWebGPUBuffer(buffer).isShared = true;
    this.#timeline.flush();
  }

  importBuffer(gpuBuffer: GPUBuffer, size: number, offset: number): WebGPUBuffer {
    this.#checkAlive();
    return importStorage(this.device, gpuBuffer, size, offset);
  }

  /** @throws GatewiseError if the device has failed. */
  #checkAlive(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  write(buffer: DeviceBuffer, data: NumberArray): void {
    this.#checkAlive();
    const given = data instanceof Float64Array ? Float32Array.from(data) : data;
    // The caller may change its numbers before a write that has to wait.
    const words = this.#timeline.isWaiting && given === data ? given.slice() : given;
    const { gpuBuffer, offset } = usable('COPY_DST', buffer);
    this.#act([buffer], () => {
      this.device.queue.writeBuffer(gpuBuffer, offset * 4, words as GPUAllowSharedBufferSource);
      markWritten([buffer]);
    });
  }

  read(buffer: DeviceBuffer, size: number, dtype: DType): Promise<NumberArray> {
    const readNow = async (): Promise<NumberArray> => {
      this.#checkAlive();
      const source = usable('COPY_SRC', buffer);
      return this.#enqueue([buffer], () => this.#staging.fetch(source, size, dtype));
    };
    return this.#checker === undefined ? readNow() : this.#checker.done.then(readNow);
  }

  copy(source: DeviceBuffer): WebGPUBuffer {
    const copy = this.createBuffer(source.size);
    const { gpuBuffer, offset } = usable('COPY_SRC', source);
    this.#act([source], () => {
      const encoder = this.device.createCommandEncoder({ label: 'gatewise copy' });
      encoder.copyBufferToBuffer(gpuBuffer, offset * 4, copy.gpuBuffer, 0, copy.gpuBuffer.size);
      this.device.queue.submit([encoder.finish()]);
    });
    return copy;
  }

  prepare(plan: Plan): Executable {
    const executable = this.#createExecutable(plan, this.#choices);
    const { steps, frozen } = plan;
    const memo = new Memo(frozen);
    let isFirstRun = true;
    /** One run by `action`, of the steps whose results are not valid. */
    const runBy = <T>(
      args: readonly DeviceBuffer[],
      outputs: readonly DeviceBuffer[],
      action: (external: ExternalBuffers, runs: (step: number) => boolean) => T,
    ): T => {
      this.#checkAlive();
      const isStale = memo.isStale(args);
      const runs = (step: number): boolean => isStale || !steps[step].memoised;
      const run = (): T => action(externalBuffers(plan, args, outputs), runs);
      // Later runs repeat the commands of the first one, so errors of validation show in the first.
      const results = isFirstRun ? this.#scoped(run) : run();
      isFirstRun = false;
      memo.remember(args);
      markWritten(outputs);
      return results;
    };
    const prepared: Executable = {
      get compiling() {
        return executable.compiling;
      },
      run: (args, outputs, reads, before) => {
        const checker = this.#checker;
        if (checker !== undefined) {
          before?.executable.run(before.args, before.outputs, []);
          return runBy(args, outputs, (external, runs) => checker.run(executable, external, reads, runs));
        }
        this.#checkAlive();
        const record = before && this.#recorders.get(before.executable);
        const recordFirst = before && record && ((pass: GPUComputePassEncoder) => record(pass, before));
        const compiling = [executable.compiling, before?.executable.compiling].filter(
          (one) => one !== undefined,
        );
        const results = this.#enqueue(
          [...args, ...outputs, ...(before?.args ?? []), ...(before?.outputs ?? [])],
          () =>
            runBy(args, outputs, (external, runs) =>
              executable.run(external, reads, runs, undefined, recordFirst),
            ),
          compiling.length === 0 ? undefined : Promise.all(compiling).then(() => undefined),
        );
        if (!(results instanceof Promise)) return results;
        results.catch((error: GatewiseError) => (this.#failure ??= error));
        return reads.map(async (_, i) => (await results)[i]);
      },
      encode: (target, args, outputs) => {
        this.#refuseInCheckMode('encode');
        this.#temporaries.markEncoded();
        // The commands come after all that has been asked for before.
        this.#timeline.flush();
        runBy(args, outputs, (external, runs) => {
          if (!('beginComputePass' in target)) return executable.record(target, external, runs);
          const pass = target.beginComputePass({ label: 'gatewise' });
          executable.record(pass, external, runs);
          pass.end();
        });
      },
      time: (args, outputs) =>
        memo.suspend(async () => {
          this.#refuseInCheckMode('profile');
          return (await this.#measurements).time(executable, externalBuffers(plan, args, outputs));
        }),
      launched: () =>
        executable.dispatches.map((dispatches, i) => {
          const { names = [] } = this.#launcher.variantsOf(steps[i]) ?? {};
          const variant = names.length > 1 ? executable.variants[i] : undefined;
          return variant === undefined ? { dispatches } : { dispatches, variant };
        }),
      tune: async (args, outputs) => {
        this.#refuseInCheckMode('tune');
        return (await this.#measurements).tune(plan, externalBuffers(plan, args, outputs));
      },
      dispose: () => this.#act([], () => executable.dispose()),
    };
    this.#recorders.set(prepared, (pass, { args, outputs }) =>
      runBy(args, outputs, (external, runs) => executable.record(pass, external, runs)),
    );
    return prepared;
  }

  get #choices(): Choices {
    return this.#options.tuning?.choicesFor(this.description) ?? {};
  }

  #createExecutable(plan: Plan, choices: Choices): WebGPUExecutable {
    return this.#scoped(
      () =>
        new WebGPUExecutable(
          this.device,
          this.#pipelines,
          this.#staging,
          this.#temporaries,
          plan,
          this.#launcher,
          choices,
        ),
    );
  }

  /** @throws GatewiseError `unsupported` in check mode. */
  #refuseInCheckMode(what: string): void {
    if (this.#checker !== undefined)
      throw new GatewiseError(
        'unsupported',
        `${what}: a runtime with check: true waits for the CPU after each step; create one without it`,
      );
  }

  async calibrate({ again }: CalibrateOptions = {}): Promise<Calibration> {
    const calibration = await (await this.#measurements).calibrate(again);
    this.#planCalibration = calibration;
    return calibration;
  }

  get #measurements(): Promise<Measurements> {
    this.#loadedMeasurements ??= import('./measurements.ts').then(
      (module) =>
        new module.Measurements({
          device: this.device,
          description: this.description,
          pipelines: this.#pipelines,
          staging: this.#staging,
          launcher: this.#launcher,
          tuning: this.#options.tuning,
          createExecutable: (plan, choices) => this.#createExecutable(plan, choices),
          settled: async () => {
            await this.#timeline.settled();
            this.#checkAlive();
          },
          idle: () => this.idle(),
        }),
    );
    return this.#loadedMeasurements;
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
    await this.#checker?.done;
    await this.#timeline.settled();
    await this.#polling.during(this.device.queue.onSubmittedWorkDone());
    this.#checkAlive();
  }

  dispose(): void {
    this.#disposed = true;
    this.#failure = new GatewiseError('disposed', 'runtime: used after dispose(); create a new one');
    // What waits is refused now; memory is freed.
    this.#timeline.flush();
    this.device.removeEventListener('uncapturederror', this.#onError);
    this.#staging.dispose();
    if (this.#options.ownsDevice) this.device.destroy();
  }
}
