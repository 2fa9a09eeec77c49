// Host data where a tensor is expected: nested lists and typed arrays, with the rules of shape and dtype.
import { runInNewContext } from 'node:vm';

import { array, assert, float, integer, property, tuple } from 'fast-check';
import { describe, expect, test } from 'vitest';

import { sizeOf } from '../../src/core/shape.ts';
import { toHostTensor, type HostData } from '../../src/runtime/host.ts';
import { failure } from '../failure.ts';

const host = (value: unknown): ReturnType<typeof toHostTensor> => toHostTensor('input', value as HostData);

describe('shapes', () => {
  test.each<[HostData, number[], number[]]>([
    [3, [], [3]],
    [[3], [1], [3]],
    [[1, 2, 3], [3], [1, 2, 3]],
    [
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      [3, 2],
      [1, 2, 3, 4, 5, 6],
    ],
    [[[[7]]], [1, 1, 1], [7]],
  ])('%j', (value, shape, data) => {
    const tensor = host(value);
    expect(tensor.shape).toEqual(shape);
    expect(tensor.dtype).toBe('f32');
    expect([...tensor.data]).toEqual(data);
  });

  test('any nested list keeps its order, row-major', () => {
    const nest = (data: readonly number[], [size, ...rest]: readonly number[]): HostData =>
      size === undefined
        ? data[0]
        : (Array.from({ length: size }, (_, i) => {
            const step = sizeOf(rest);
            return nest(data.slice(i * step, (i + 1) * step), rest);
          }) as HostData);
    const shapes = array(integer({ min: 1, max: 4 }), { maxLength: 4 });
    assert(
      property(
        shapes.chain((shape) =>
          tuple(
            shapes.map(() => shape),
            array(float({ noNaN: true }), { minLength: sizeOf(shape), maxLength: sizeOf(shape) }),
          ),
        ),
        ([shape, data]) => {
          const tensor = host(nest(data, shape));
          expect(tensor.shape).toEqual(shape);
          expect([...tensor.data]).toEqual(data);
        },
      ),
    );
  });

  test('another shape of the same size is accepted', () => {
    expect(toHostTensor('x', [1, 2, 3, 4, 5, 6], [2, 3])).toMatchObject({ shape: [2, 3] });
    expect(toHostTensor('x', new Float32Array(6), [3, 1, 2])).toMatchObject({ shape: [3, 1, 2] });
    expect(toHostTensor('x', [5], [])).toMatchObject({ shape: [] });
  });

  test('a shape of more or fewer elements is refused', () => {
    expect(() => toHostTensor('x', new Float32Array(6), [4, 2])).toThrow(
      failure('shape', /^x: shape \[4, 2\] needs 8 numbers, got 6/),
    );
    for (const shape of [[0], [2, -3], [1.5, 4], [NaN]])
      expect(() => toHostTensor('x', new Float32Array(6), shape)).toThrow(
        failure('shape', /^x: every size must be a whole number of at least 1, got \[/),
      );
  });

  test.each<[string, unknown, RegExp]>([
    ['of two lengths', [[1, 2], [3]], /input: lists side by side have shapes \[2\] and \[1\]/],
    [
      'deep inside',
      [
        [[1], [2]],
        [[3], [4, 5]],
      ],
      /shapes \[1\] and \[2\]; expected one shape/,
    ],
    ['of two depths', [1, [2]], /shapes \[\] and \[1\]/],
    ['of two depths, the deeper first', [[[1]], [2]], /shapes \[1, 1\]? ?and|shapes \[1\] and \[\]/],
    ['without elements', [], /a list has no elements; every size must be at least 1/],
    ['without elements, nested', [[], []], /a list has no elements/],
  ])('lists %s are refused', (_, value, message) => {
    expect(() => host(value)).toThrow(failure('shape', message));
  });

  test('a typed array without elements is refused', () => {
    expect(() => host(new Float32Array(0))).toThrow(failure('shape', /at least 1, got \[0\]/));
  });
});

describe('elements that are not numbers', () => {
  test.each<[unknown, RegExp]>([
    ['text', /got "text"/],
    [['1', '2'], /got "1"/],
    [[1, null], /got null/],
    [[1, undefined], /got nothing/],
    [Object.assign([1], { length: 2 }), /got nothing/],
    [Object.assign([], { length: 2 }), /got nothing/],
    [[[1, 2], Object.assign([1], { length: 2 })], /got nothing/],
    [[1, true], /got true/],
    [10n, /got 10/],
    [{ length: 2 }, /got Object/],
    [
      new DataView(new ArrayBuffer(8)),
      /got a DataView; pass a typed array, such as new Float32Array\(it\.buffer, it\.byteOffset, it\.byteLength \/ 4\)/,
    ],
    [new ArrayBuffer(8), /got ArrayBuffer; pass a typed array, such as new Float32Array\(it\)/],
    [
      Buffer.alloc(8),
      /got a Buffer of bytes; for its float32 numbers pass new Float32Array\(new Uint8Array\(it\)\.buffer\)/,
    ],
    [[Buffer.alloc(8)], /got a Buffer of bytes/],
    // As a minifier names a polyfill.
    [
      Object.assign(
        new (class t extends Uint8Array {
          static isBuffer = () => true;
        })(8),
      ),
      /got a Buffer of bytes/,
    ],
    [undefined, /got nothing/],
    [() => 1, /got function/],
  ])('%o', (value, got) => {
    expect(() => host(value)).toThrow(failure('argument', got));
    expect(() => host(value)).toThrow(
      /^input: expected a tensor, a number, or numbers in nested lists and typed arrays, got /,
    );
  });
});

describe('dtypes', () => {
  test('a typed array is its own data, of rank 1', () => {
    for (const data of [Float32Array.of(1, 2), Float64Array.of(1, 2), Int32Array.of(1, 2)]) {
      const tensor = host(data);
      expect(tensor.data).toBe(data);
      expect(tensor.shape).toEqual([2]);
      expect(tensor.dtype).toBe(data instanceof Int32Array ? 'i32' : 'f32');
    }
  });

  test.each([
    [Uint8Array.of(0, 255), 'f32'],
    [Uint8ClampedArray.of(0, 255), 'f32'],
    [Int8Array.of(-128, 127), 'f32'],
    [Int16Array.of(-32768, 32767), 'f32'],
    [Uint16Array.of(0, 65535), 'f32'],
    [Uint32Array.of(0, 2 ** 32 - 1), 'f32'],
    [BigInt64Array.of(-(2n ** 31n), 2n ** 31n - 1n), 'i32'],
    [BigUint64Array.of(0n, 2n ** 31n - 1n), 'i32'],
  ])('%o is %s, and each of its numbers stays', (data, dtype) => {
    const tensor = host(data);
    expect(tensor.dtype).toBe(dtype);
    expect([...tensor.data]).toEqual(Array.from<number | bigint, number>(data, Number));
  });

  test('a big integer beyond 32 bits is refused', () => {
    expect(() => host(BigInt64Array.of(2n ** 31n))).toThrow(failure('dtype', /got 2147483648/));
  });

  test('lists of typed arrays are the rows of a tensor', () => {
    expect(host([Float32Array.of(1, 2), Uint8Array.of(3, 4), [5, 6]])).toEqual({
      shape: [3, 2],
      dtype: 'f32',
      data: Float64Array.of(1, 2, 3, 4, 5, 6),
    });
    expect(host([[Int32Array.of(1)], [BigInt64Array.of(2n)]])).toEqual({
      shape: [2, 1, 1],
      dtype: 'i32',
      data: Int32Array.of(1, 2),
    });
    expect(host([Int32Array.of(1), [0.5]]).dtype).toBe('f32');
    expect(() => host([new Float32Array(2), new Float32Array(3)])).toThrow(
      failure('shape', /shapes \[2\] and \[3\]/),
    );
  });

  test('lists and typed arrays of another realm', () => {
    const foreign = runInNewContext('[[new Float32Array([1, 2])], [new Float64Array([3, 4])]]') as HostData;
    expect(host(foreign)).toMatchObject({ shape: [2, 1, 2], data: Float64Array.of(1, 2, 3, 4) });
    expect(host(runInNewContext('new Int32Array([7])'))).toEqual({
      shape: [1],
      dtype: 'i32',
      data: Int32Array.of(7),
    });
  });

  test('the advice for a Buffer, when followed, gives its numbers', () => {
    const bytes = Buffer.from(Float32Array.of(1.5, -2).buffer);
    expect([...host(new Float32Array(new Uint8Array(bytes).buffer)).data]).toEqual([1.5, -2]);
    expect([...host(new Uint8Array(Buffer.of(1, 2))).data]).toEqual([1, 2]);
  });

  test('lists are f32, integers too, and have the precision of float64', () => {
    expect(host([1, 2]).dtype).toBe('f32');
    expect(host([0.1]).data[0]).toBe(0.1);
  });

  test('integers become i32 where indices are expected', () => {
    const whole: HostData[] = [[1, -2], Float32Array.of(1, -2), Float64Array.of(1, -2), Int32Array.of(1, -2)];
    for (const value of whole) {
      const tensor = toHostTensor('y', value, undefined, 'i32');
      expect(tensor.dtype).toBe('i32');
      expect(tensor.data).toEqual(Int32Array.of(1, -2));
    }
  });

  test('an Int32Array becomes f32 where features are expected', () => {
    const tensor = toHostTensor('x', Int32Array.of(1, -2), undefined, 'f32');
    expect(tensor).toEqual({ shape: [2], dtype: 'f32', data: Float64Array.of(1, -2) });
  });

  test.each([0.5, NaN, Infinity, -Infinity, 2 ** 31, -(2 ** 31) - 1, 2 ** 40])(
    '%d is not an index, and is not rounded or wrapped to one',
    (odd) => {
      expect(() => toHostTensor('y', [1, odd], undefined, 'i32')).toThrow(
        failure('dtype', /^y: expected whole numbers.*i32.*, got /),
      );
      expect(() => toHostTensor('y', Float64Array.of(odd), undefined, 'i32')).toThrow(String(odd));
    },
  );

  test('the smallest and the largest i32 are accepted', () => {
    const ends = [-(2 ** 31), 2 ** 31 - 1];
    expect([...toHostTensor('y', ends, undefined, 'i32').data]).toEqual(ends);
  });

  test('NaN and Infinity are valid f32', () => {
    expect([...host([NaN, -Infinity]).data]).toEqual([NaN, -Infinity]);
  });
});
