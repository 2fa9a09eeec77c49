// Profiles from given times, and how they are printed.
import { expect, test } from 'vitest';

import { tanh, add } from '../../src/expr/arith.ts';
import { Value } from '../../src/graph/value.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { sum } from '../../src/ops/structure.ts';
import { printProfile } from '../../src/plan/print.ts';
import { profileOf } from '../../src/plan/profile.ts';
import { planOf } from '../webgpu_plan.ts';

const arg = (...shape: number[]): Value => new Value({ shape, dtype: 'f32' });
const [x, w, b] = [arg(64, 256), arg(256, 512), arg(512)];
const plan = planOf([x, w, b], [sum(tanh(add(matmul(x, w), b)), 0)]);

const calibration = {
  device: 'WebGPU: a device',
  method: 'timestamps',
  flopPerSecond: 1e12,
  oneWorkgroupFlopPerSecond: 1e10,
  bandwidth: [{ bytes: 65536, bytesPerSecond: 100e9 }],
  oneWorkgroupBandwidth: [{ bytes: 65536, bytesPerSecond: 1e9 }],
  dispatchSeconds: 5e-6,
  barrierSeconds: 1e-7,
  roundTripSeconds: 1e-4,
} as const;
const seconds = [4e-5, 1.25e-5];

test('a profile on a device has floors and bounds', () => {
  const profile = profileOf(
    plan,
    { method: 'timestamps', seconds, dispatches: [1, 2], calibration },
    'WebGPU: a device',
  );
  expect(profile.steps.map(({ op, bound }) => [op, bound])).toEqual([
    ['matmul', 'compute'],
    ['reduce', 'dispatch'],
  ]);
  expect(profile.steps[1]).toMatchObject({ seconds: 1.25e-5, floorSeconds: 1e-5, rho: 0.8 });
  expect(profile.seconds).toBeCloseTo(5.25e-5, 12);
  expect(printProfile(profile)).toMatchInlineSnapshot(`
    "step  op                                  dispatches    FLOP   bytes     time    share    floor     bound   rho
    0     matmul                                       1  16.8 M  721 kB  40.0 µs   76.2 %  16.8 µs   compute  0.42
    1     reduce: sum of tanh(add(in0, in1))           2  98.3 k  135 kB  12.5 µs   23.8 %  10.0 µs  dispatch  0.80
          total                                        3  16.9 M  856 kB  52.5 µs  100.0 %  26.8 µs            0.51
    WebGPU: a device; timed by timestamps of the device"
  `);
});

test('the sum of a profile leaves out memoised steps', () => {
  const planned = planOf([x, w, b], [sum(tanh(matmul(x, tanh(w))), 0)], { frozen: [1] });
  const profile = profileOf(
    planned,
    { method: 'clock', seconds: [8e-5, ...seconds], dispatches: [1, 1, 2] },
    'CPU',
  );
  expect(profile.seconds).toBeCloseTo(5.25e-5, 12);
  expect(printProfile(profile)).toMatchInlineSnapshot(`
    "step  op                                    dispatches    FLOP    bytes     time    share
    0     memoised: elementwise: tanh(in0)               1   131 k  1.05 MB  80.0 µs
    1     matmul                                         1  16.8 M   721 kB  40.0 µs   76.2 %
    2     reduce: sum of tanh(in0)                       2  65.5 k   133 kB  12.5 µs   23.8 %
          total                                          3  16.8 M   854 kB  52.5 µs  100.0 %
          memoised: at first and after changes           1   131 k  1.05 MB  80.0 µs
    CPU; timed by the clock"
  `);
});

test('a profile on the CPU has no floor', () => {
  const profile = profileOf(plan, { method: 'clock', seconds, dispatches: [1, 2] }, 'CPU');
  expect(profile.steps.some((step) => 'rho' in step)).toBe(false);
  expect(printProfile(profile)).toMatchInlineSnapshot(`
    "step  op                                  dispatches    FLOP   bytes     time    share
    0     matmul                                       1  16.8 M  721 kB  40.0 µs   76.2 %
    1     reduce: sum of tanh(add(in0, in1))           2  98.3 k  135 kB  12.5 µs   23.8 %
          total                                        3  16.9 M  856 kB  52.5 µs  100.0 %
    CPU; timed by the clock"
  `);
});
