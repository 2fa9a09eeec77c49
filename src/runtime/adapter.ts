// Asking for a device, with as large buffers, bindings and workgroups as the adapter has, timestamps and subgroups where it has them.
import { GatewiseError } from '../core/errors.ts';

/** Features that are used where an adapter has them. */
const WANTED: readonly GPUFeatureName[] = ['timestamp-query', 'subgroups'];

export interface AdapterOptions {
  /** Where to ask; `navigator.gpu` unless given. In Node, `await nodeGPU()` of `gatewise/node`. */
  readonly gpu?: GPU;
  readonly powerPreference?: GPUPowerPreference;
}

export async function acquireDevice({ gpu, powerPreference }: AdapterOptions): Promise<GPUDevice> {
  const source = gpu ?? globalThis.navigator?.gpu;
  if (source === undefined) {
    throw new GatewiseError(
      'no-adapter',
      'there is no navigator.gpu: this browser has no WebGPU, or the page is not served over HTTPS or from localhost (in Node, pass { gpu: await nodeGPU() } of gatewise/node)',
    );
  }
  const adapter = await source.requestAdapter(powerPreference === undefined ? {} : { powerPreference });
  if (adapter === null)
    throw new GatewiseError(
      'no-adapter',
      'navigator.gpu has no adapter: the GPU or its driver is not supported, or WebGPU is turned off in this browser',
    );
  const {
    maxStorageBufferBindingSize,
    maxBufferSize,
    maxComputeWorkgroupStorageSize,
    maxComputeInvocationsPerWorkgroup,
    maxComputeWorkgroupSizeX,
  } = adapter.limits;
  try {
    return await adapter.requestDevice({
      label: 'gatewise',
      requiredFeatures: WANTED.filter((feature) => adapter.features.has(feature)),
      requiredLimits: {
        maxStorageBufferBindingSize,
        maxBufferSize,
        maxComputeWorkgroupStorageSize,
        maxComputeInvocationsPerWorkgroup,
        maxComputeWorkgroupSizeX,
      },
    });
  } catch (cause) {
    throw new GatewiseError(
      'no-adapter',
      `the adapter gave no device: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}
