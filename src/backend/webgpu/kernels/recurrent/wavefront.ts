// Decides whether stacked recurrent layers share launches on a device.
import type { WavefrontStep } from '../../../../graph/value.ts';
import { type Calibration, floorSeconds } from '../../../../plan/calibration.ts';
import type { DeviceInfo } from '../../device_info.ts';
import { streamsWell } from './geometry.ts';

/** The share of the device's calibrated peak that a kernel typically reaches; a floor assumes the whole peak. */
const KERNEL_SHARE = 1 / 3;

/** Whether a wavefront is faster: true if a step of all layers costs no more than a launch. False without a calibration. */
export function sharesLaunches(
  { software }: DeviceInfo,
  calibration: Pick<Calibration, 'dispatchSeconds' | 'flopPerSecond' | 'bandwidth'> | undefined,
  { flop, bytes, layerBytes }: WavefrontStep,
): boolean {
  if (calibration === undefined) return false;
  // A layer whose weights one workgroup streams well runs as one persistent launch, not one launch per step.
  const runsByStep = software || !streamsWell(layerBytes);
  const { seconds } = floorSeconds({ dispatches: 0, flop, bytes }, calibration);
  return runsByStep && seconds / KERNEL_SHARE <= calibration.dispatchSeconds;
}
