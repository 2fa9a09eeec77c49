// Runtimes whose WebGPU backend has other kernels.
import type { CPUKernel } from '../src/backend/cpu/kernels/kernel.ts';
import { hostTarget, referenceKernels } from '../src/backend/cpu/kernels/index.ts';
import { Checker } from '../src/backend/webgpu/check.ts';
import { webgpuKernels } from '../src/backend/webgpu/kernels/index.ts';
import type { WebGPUKernel } from '../src/backend/webgpu/kernels/kernel.ts';
import { WebGPUBackend } from '../src/backend/webgpu/webgpu_backend.ts';
import { acquireDevice } from '../src/runtime/adapter.ts';
import { Runtime } from '../src/runtime/runtime.ts';

/** @param kernels Replace the backend's kernels of the same ops. @param device By default the runtime requests its own. */
export async function runtimeWith(
  kernels: readonly WebGPUKernel[],
  { reference = [], device }: { reference?: readonly CPUKernel[]; device?: GPUDevice } = {},
): Promise<Runtime> {
  const backend = new WebGPUBackend({
    device: device ?? (await acquireDevice({})),
    ownsDevice: device === undefined,
    tuning: undefined,
    kernels: [...webgpuKernels, ...kernels],
    checker:
      reference.length === 0
        ? undefined
        : (staging) => new Checker(staging, hostTarget([...referenceKernels, ...reference])),
  });
  return new Runtime(backend, undefined);
}
