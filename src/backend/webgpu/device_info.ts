// The properties of a device by which kernels choose their variants and tiles, from the adapter's description and limits.

export interface DeviceInfo {
  /** Whether the adapter is a CPU that emulates a GPU. Its workgroup memory is ordinary memory and its barriers are expensive. */
  readonly software: boolean;
  /** The number of invocations that keeps the device busy: a launch takes the largest tiles that give at least as many. */
  readonly parallelism: number;
  /** The largest workgroup memory of a workgroup, in bytes. */
  readonly workgroupMemory: number;
  /** The largest number of invocations of a workgroup, in total and along x. */
  readonly workgroupSize: number;
  /** Invocations of a subgroup, if all subgroups of the device have one size. */
  readonly subgroupSize?: number;
}

/** A GPU: tens of cores, each with hundreds of invocations in flight. The limits are WebGPU's defaults. */
export const GPU_DEVICE: DeviceInfo = {
  software: false,
  parallelism: 16384,
  workgroupMemory: 16384,
  workgroupSize: 256,
};
/** A software adapter: a few CPU cores with a few SIMD lanes each. Large tiles pay off early, since they save loads. */
export const SOFTWARE_DEVICE: DeviceInfo = { ...GPU_DEVICE, software: true, parallelism: 32 };

/** The first of `tiles`, sorted from large to small, whose invocations fill the device; the last one if none does. */
export function chooseTile<T>(tiles: readonly T[], device: DeviceInfo, invocations: (tile: T) => number): T {
  return tiles.find((tile) => invocations(tile) >= device.parallelism) ?? tiles[tiles.length - 1];
}

type WithAdapterInfo = Pick<GPUDevice, 'adapterInfo'>;

function nameOf({ adapterInfo }: WithAdapterInfo): string {
  const info: Partial<GPUAdapterInfo> = adapterInfo ?? {};
  return [info.vendor, info.architecture, info.device, info.description]
    .filter((part) => part !== undefined && part !== '')
    .join(' ');
}

/** Whether the adapter is a CPU that emulates a GPU. */
export function isSoftware(device: WithAdapterInfo): boolean {
  const info: Partial<GPUAdapterInfo> = device.adapterInfo ?? {};
  return (
    info.isFallbackAdapter === true ||
    /swiftshader|llvmpipe|lavapipe|software|microsoft basic render/i.test(nameOf(device))
  );
}

/** The adapter's name, for people. Tuning stores use it as a key, so it must not change. */
export function describeAdapter(device: WithAdapterInfo): string {
  const name = nameOf(device);
  return `WebGPU: ${name === '' ? 'an adapter that does not give its name' : name}${isSoftware(device) ? ' (software)' : ''}`;
}

export function deviceInfoOf(device: WithAdapterInfo & Pick<GPUDevice, 'limits' | 'features'>): DeviceInfo {
  const { maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX } =
    device.limits;
  const { subgroupMinSize, subgroupMaxSize }: Partial<GPUAdapterInfo> = device.adapterInfo ?? {};
  const isOneSize = device.features.has('subgroups') && subgroupMinSize === subgroupMaxSize;
  return {
    ...(isSoftware(device) ? SOFTWARE_DEVICE : GPU_DEVICE),
    workgroupMemory: maxComputeWorkgroupStorageSize,
    workgroupSize: Math.min(maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX),
    ...(isOneSize && subgroupMinSize !== undefined ? { subgroupSize: subgroupMinSize } : {}),
  };
}
