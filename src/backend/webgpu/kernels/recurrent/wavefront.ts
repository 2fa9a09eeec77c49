// Whether stacked recurrent layers share launches on a device.
import { streamsWell } from './geometry.ts';
import type { WavefrontStep } from '../../../../graph/value.ts';
import { floorSeconds } from '../../../../plan/calibration.ts';
import type { DeviceInfo } from '../../device_info.ts';

/** A kernel comes to a third of what the device can do, as a rule, where a floor counts on all of it. */
const KERNEL_SHARE = 1 / 3;

/** Whether layers had better share launches of such steps on such a device, as far as it is known. */
export function sharesLaunches(
  { software }: DeviceInfo,
  calibration: Parameters<typeof floorSeconds>[1] | undefined,
  { flop, bytes, layerBytes }: WavefrontStep,
): boolean {
  if (calibration === undefined) return false;
  // A layer that a workgroup runs by itself takes one launch, and not one for each step.
  const runsByStep = software || !streamsWell(layerBytes);
  const { seconds } = floorSeconds({ dispatches: 0, flop, bytes }, calibration);
  return runsByStep && seconds / KERNEL_SHARE <= calibration.dispatchSeconds;
}
