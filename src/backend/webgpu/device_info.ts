// Properties of an adapter that select variants and tiles of kernels.

export interface DeviceInfo {
  /** Whether the adapter is a CPU that emulates a GPU. Its workgroup memory is ordinary memory and its barriers are expensive. */
  readonly software: boolean;
  /** Invocations that saturate the device. A launch takes the largest tiles that still give this many invocations. */
  readonly parallelism: number;
  /** The most bytes of workgroup memory per workgroup. */
  readonly workgroupMemory: number;
  /** The most invocations per workgroup, also along x alone. */
  readonly workgroupSize: number;
  /** Invocations per subgroup, if all subgroups of the device have one size. */
  readonly subgroupSize?: number;
}

/** A GPU: tens of cores, each with hundreds of invocations in flight. The limits are WebGPU's defaults. */
export const GPU_DEVICE: DeviceInfo = {
  software: false,
  parallelism: 16384,
  workgroupMemory: 16384,
  workgroupSize: 256,
};
/** A software adapter: a few CPU cores with a few SIMD lanes each, where larger tiles pay off because loads are expensive. */
export const SOFTWARE_DEVICE: DeviceInfo = { ...GPU_DEVICE, software: true, parallelism: 32 };

/** The first of `tiles`, sorted from largest to smallest, whose invocations saturate the device; otherwise the last. */
export function chooseTile<T>(tiles: readonly T[], device: DeviceInfo, invocations: (tile: T) => number): T {
  return tiles.find((tile) => invocations(tile) >= device.parallelism) ?? tiles[tiles.length - 1];
}

type Described = Pick<GPUDevice, 'adapterInfo'>;

function nameOf({ adapterInfo }: Described): string {
  const info: Partial<GPUAdapterInfo> = adapterInfo ?? {};
  return [info.vendor, info.architecture, info.device, info.description]
    .filter((part) => part !== undefined && part !== '')
    .join(' ');
}

/** Whether the adapter is a CPU that emulates a GPU. */
export function isSoftware(device: Described): boolean {
  const info: Partial<GPUAdapterInfo> = device.adapterInfo ?? {};
  return (
    info.isFallbackAdapter === true ||
    /swiftshader|llvmpipe|lavapipe|software|microsoft basic render/i.test(nameOf(device))
  );
}

/** The adapter's name, for display. */
export function describeAdapter(device: Described): string {
  const name = nameOf(device);
  return `WebGPU: ${name === '' ? 'an adapter that does not give its name' : name}${isSoftware(device) ? ' (software)' : ''}`;
}

export function deviceInfoOf(device: Described & Pick<GPUDevice, 'limits' | 'features'>): DeviceInfo {
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
