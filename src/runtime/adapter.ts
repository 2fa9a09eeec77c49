// Requests a WebGPU device with the adapter's limits for buffers, bindings and workgroups, and its timestamps and subgroups.
import { GatewiseError } from '../core/errors.ts';

/** Features that are used if the adapter has them. */
const FEATURES: readonly GPUFeatureName[] = ['timestamp-query', 'subgroups'];
/** Limits that are raised to the adapter's. */
const LIMITS = [
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
] as const;

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
      'there is no navigator.gpu: this browser has no WebGPU, or the page is not served over HTTPS or from localhost (in Node: npm install webgpu, and pass { gpu: await nodeGPU() } with nodeGPU of gatewise/node)',
    );
  }
  const adapter = await source.requestAdapter(powerPreference === undefined ? {} : { powerPreference });
  if (adapter === null)
    throw new GatewiseError(
      'no-adapter',
      'navigator.gpu has no adapter: the GPU or its driver is not supported, or WebGPU is turned off in this browser',
    );
  try {
    return await adapter.requestDevice({
      label: 'gatewise',
      requiredFeatures: FEATURES.filter((feature) => adapter.features.has(feature)),
      requiredLimits: Object.fromEntries(LIMITS.map((limit) => [limit, adapter.limits[limit]])),
    });
  } catch (cause) {
    throw new GatewiseError(
      'no-adapter',
      `the adapter gave no device: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}
