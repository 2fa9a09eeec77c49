// What an adapter says of itself.
import { GPU_TARGET, SOFTWARE_TARGET, type Target } from '../../graph/launch.ts';

type Described = Pick<GPUDevice, 'adapterInfo'>;

function nameOf({ adapterInfo }: Described): string {
  const info: Partial<GPUAdapterInfo> = adapterInfo ?? {};
  return [info.vendor, info.architecture, info.device, info.description]
    .filter((part) => part !== undefined && part !== '')
    .join(' ');
}

/** Whether the device is a CPU that plays a GPU. */
export function isSoftware(device: Described): boolean {
  const info: Partial<GPUAdapterInfo> = device.adapterInfo ?? {};
  return (
    info.isFallbackAdapter === true ||
    /swiftshader|llvmpipe|lavapipe|software|microsoft basic render/i.test(nameOf(device))
  );
}

/** The adapter's name, for people. */
export function describeAdapter(device: Described): string {
  const name = nameOf(device);
  return `WebGPU: ${name === '' ? 'an adapter that does not give its name' : name}${isSoftware(device) ? ' (software)' : ''}`;
}

/** What kernels are chosen for. */
export function targetOf(device: Described & Pick<GPUDevice, 'limits' | 'features'>): Target {
  const { maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX } =
    device.limits;
  const { subgroupMinSize, subgroupMaxSize }: Partial<GPUAdapterInfo> = device.adapterInfo ?? {};
  const isOneSize = device.features.has('subgroups') && subgroupMinSize === subgroupMaxSize;
  return {
    ...(isSoftware(device) ? SOFTWARE_TARGET : GPU_TARGET),
    workgroupMemory: maxComputeWorkgroupStorageSize,
    workgroupSize: Math.min(maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX),
    ...(isOneSize && subgroupMinSize !== undefined ? { lanes: subgroupMinSize } : {}),
  };
}
