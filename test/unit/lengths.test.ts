// Checks of lengths and masks on the host.
import { expect, test } from 'vitest';

import { createRuntime, type ErrorCode, type HostData } from '../../src/index.ts';
import { toLengths, toMask } from '../../src/runtime/sequence_arguments.ts';
import { failure } from '../failure.ts';

const runtime = await createRuntime({ backend: 'cpu' });
const tensor = (numbers: readonly number[]): ReturnType<typeof runtime.tensor> =>
  runtime.tensor(Int32Array.from(numbers));

test('lengths of 1 to T are accepted, in any order, as lists, typed arrays and tensors', () => {
  expect(toLengths('step', [5, 1, 3], 3, 5)).toEqual({
    shape: [3],
    dtype: 'i32',
    data: Int32Array.of(5, 1, 3),
  });
  expect(toLengths('step', Float32Array.of(2, 2), 2, 2)).toMatchObject({ dtype: 'i32' });
  const given = tensor([1, 4]);
  expect(toLengths('step', given, 2, 4)).toBe(given);
});

test.each<[string, HostData, ErrorCode, RegExp]>([
  ['0', [3, 0], 'argument', /^step: length 1 must be a whole number of 1 to 4, .* got 0$/],
  ['negative', [-1, 4], 'argument', /length 0 must .* got -1/],
  ['past T', [4, 5], 'argument', /length 1 must be a whole number of 1 to 4, .* got 5/],
  ['a fraction', [1.5, 2], 'argument', /length 0 must be a whole number .* got 1\.5/],
  ['NaN', [1, NaN], 'argument', /length 1 must be a whole number .* got NaN/],
  ['too few', [1], 'shape', /step: expected lengths of shape \[2\], one for each .* got \[1\]/],
  ['too many', Int32Array.of(1, 1, 1), 'shape', /of shape \[2\].* got \[3\]/],
  ['a matrix', [[1, 1]], 'shape', /of shape \[2\].* got \[1, 2\]/],
])('lengths refused: %s', (_, value, code, message) => {
  expect(() => toLengths('step', value, 2, 4)).toThrow(failure(code, message));
});

test('lengths in a tensor are checked by their range, and must be integers', () => {
  expect(() => toLengths('run', tensor([1, 5]), 2, 4)).toThrow(
    failure('argument', /run: expected lengths of 1 to 4, .* got a tensor of 1 to 5/),
  );
  expect(() => toLengths('run', tensor([0, 4]), 2, 4)).toThrow(failure('argument', /a tensor of 0 to 4/));
  expect(() => toLengths('run', tensor([1, 2, 3]), 2, 4)).toThrow(failure('shape', /got \[3\]/));
  expect(() => toLengths('run', runtime.tensor([1, 2]), 2, 4)).toThrow(
    failure('dtype', /run: lengths: expected i32, got a tensor of f32/),
  );
});

test('a mask is (T, B), or (B, T) where time is axis 1', () => {
  const mask = [
    [1, 1, 0],
    [1, 0, 1],
  ];
  expect(toMask('step', mask, 3, 2, 0)).toMatchObject({ shape: [2, 3], dtype: 'f32' });
  expect(toMask('step', mask, 2, 3, 1)).toMatchObject({ shape: [2, 3], dtype: 'f32' });
  const given = runtime.tensor(mask);
  expect(toMask('step', given, 3, 2, 0)).toBe(given);
});

test.each<[string, HostData, 0 | 1, ErrorCode, RegExp]>([
  [
    'another shape',
    [[1, 1]],
    0,
    'shape',
    /step: expected a mask \(T, B\) of shape \[2, 3\], .* got \[1, 2\]/,
  ],
  ['batch first', [[1, 1]], 1, 'shape', /expected a mask \(B, T\) of shape \[3, 2\], .* got \[1, 2\]/],
  [
    'neither 0 nor 1',
    [
      [1, 0, 1],
      [1, 0.5, 1],
    ],
    0,
    'argument',
    /step: element 4 of the mask must be 1 .* or 0, got 0\.5/,
  ],
  [
    'NaN',
    [
      [1, 0, NaN],
      [1, 1, 1],
    ],
    0,
    'argument',
    /element 2 of the mask .* got NaN/,
  ],
])('a mask refused: %s', (_, value, timeAxis, code, message) => {
  expect(() => toMask('step', value, 3, 2, timeAxis)).toThrow(failure(code, message));
});

test('an i32 tensor is refused as a mask', () => {
  expect(() => toMask('step', tensor([1, 0]), 1, 2, 0)).toThrow(
    failure('dtype', /expected f32, got a tensor of i32/),
  );
});
