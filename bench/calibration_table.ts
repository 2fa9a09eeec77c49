// What the calibration measured, for people: on the page and in the terminal.
import type { Calibration } from '../src/index.ts';
import { quantity } from '../src/plan/table.ts';

export interface CalibrationLine {
  readonly name: string;
  /** By the whole device; empty where that is no question. */
  readonly device: string;
  /** By one workgroup of 256 invocations. */
  readonly workgroup: string;
}

const KIB = 1024;
const size = (bytes: number): string =>
  bytes < KIB * KIB ? `${bytes / KIB} KiB` : `${bytes / KIB / KIB} MiB`;

export function calibrationLines(calibration: Calibration): readonly CalibrationLine[] {
  const { bandwidth, oneWorkgroupBandwidth } = calibration;
  return [
    {
      name: 'multiply-adds in registers',
      device: quantity(calibration.flopPerSecond, 'FLOP/s'),
      workgroup: quantity(calibration.oneWorkgroupFlopPerSecond, 'FLOP/s'),
    },
    ...bandwidth.map(({ bytes, bytesPerSecond }) => {
      const one = oneWorkgroupBandwidth.find((entry) => entry.bytes === bytes);
      return {
        name: `reading ${size(bytes)} again and again`,
        device: quantity(bytesPerSecond, 'B/s'),
        workgroup: one === undefined ? '' : quantity(one.bytesPerSecond, 'B/s'),
      };
    }),
    { name: 'one more dispatch', device: quantity(calibration.dispatchSeconds, 's'), workgroup: '' },
    { name: 'a barrier', device: '', workgroup: quantity(calibration.barrierSeconds, 's') },
    { name: 'submit and read back', device: quantity(calibration.roundTripSeconds, 's'), workgroup: '' },
  ];
}
