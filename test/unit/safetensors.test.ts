// Safetensors files: round trips, and an error for every fault in a file.
import {
  array,
  assert,
  constantFrom,
  dictionary,
  integer,
  property,
  string,
  tuple,
  uint8Array,
} from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  createRuntime,
  float32Of,
  GatewiseError,
  Linear,
  parseSafetensors,
  serializeSafetensors,
  type DType,
  type NamedTensor,
} from '../../src/index.ts';
import { failure } from '../failure.ts';

const small = (): Uint8Array<ArrayBuffer> =>
  serializeSafetensors(
    new Map<string, NamedTensor>([
      ['weight', { shape: [2, 3], dtype: 'f32', data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
      ['ids', { shape: [2], dtype: 'i32', data: Int32Array.of(-7, 8) }],
    ]),
    { format: 'pt' },
  );

/** A file with a header text and a number of data bytes; `claim` is the header length that it states. */
function file(header: unknown, dataBytes = 0, claim?: bigint): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.byteLength + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, claim ?? BigInt(json.byteLength), true);
  bytes.set(json, 8);
  return bytes;
}

function refusal(bytes: Uint8Array): string {
  try {
    parseSafetensors(bytes);
  } catch (error) {
    if (error instanceof GatewiseError && error.code === 'file') return error.message;
    throw error;
  }
  throw new Error('expected the file to be refused, but it was read');
}

const f32 = (shape: unknown, offsets: unknown): object => ({ dtype: 'F32', shape, data_offsets: offsets });

describe('round trip', () => {
  const tensor = tuple(
    constantFrom<DType[]>('f32', 'i32'),
    array(integer({ min: 0, max: 4 }), { maxLength: 3 }),
  ).chain(([dtype, shape]) => {
    const bytes = 4 * shape.reduce((product, n) => product * n, 1);
    return uint8Array({ minLength: bytes, maxLength: bytes }).map(({ buffer }): NamedTensor => {
      const own = buffer.slice(0, bytes) as ArrayBuffer;
      return { dtype, shape, data: dtype === 'f32' ? new Float32Array(own) : new Int32Array(own) };
    });
  });
  const name = string({ unit: 'binary', maxLength: 12 }).filter((text) => text !== '__metadata__');
  const bytesOf = ({ buffer, byteOffset, byteLength }: NamedTensor['data']): number[] =>
    Array.from(new Uint8Array(buffer, byteOffset, byteLength));

  test('names, shapes, dtypes, every bit of the data, and the metadata', () => {
    assert(
      property(
        array(tuple(name, tensor), { maxLength: 5 }),
        dictionary(string(), string(), { maxKeys: 4 }),
        (list, metadata) => {
          const tensors = new Map(list);
          const read = parseSafetensors(serializeSafetensors(tensors, metadata));
          expect(Object.entries(read.metadata).sort()).toEqual(Object.entries(metadata).sort());
          expect([...read.tensors.keys()].sort()).toEqual([...tensors.keys()].sort());
          for (const [key, { shape, dtype, data }] of tensors) {
            const got = read.tensors.get(key);
            expect(got).toMatchObject({ shape, dtype });
            expect(got?.data.constructor).toBe(data.constructor);
            expect(got && bytesOf(got.data)).toEqual(bytesOf(data));
          }
        },
      ),
    );
  });

  test('names such as __proto__ are allowed', () => {
    const data = Float32Array.of(1);
    const tensors = new Map<string, NamedTensor>(
      ['__proto__', 'constructor', '10', ''].map((key) => [key, { shape: [1], dtype: 'f32', data }]),
    );
    const metadata = JSON.parse('{"__proto__": "a"}') as Record<string, string>;
    const read = parseSafetensors(serializeSafetensors(tensors, metadata));
    expect([...read.tensors.keys()].sort()).toEqual([...tensors.keys()].sort());
    expect(Object.entries(read.metadata)).toEqual([['__proto__', 'a']]);
  });

  test('the data is aligned to 8 bytes, whatever the names', () => {
    for (let length = 1; length <= 16; length++) {
      const bytes = serializeSafetensors(
        new Map([['w'.repeat(length), { shape: [], dtype: 'f32', data: Float32Array.of(1) }]]),
      );
      expect(Number(new DataView(bytes.buffer).getBigUint64(0, true)) % 8).toBe(0);
    }
  });

  test('a typed array that is a part of its buffer is written as that part', () => {
    const data = Float32Array.of(1, 2, 3, 4).subarray(1, 3);
    const bytes = serializeSafetensors(new Map([['w', { shape: [2], dtype: 'f32', data }]]));
    expect(parseSafetensors(bytes).tensors.get('w')?.data).toEqual(Float32Array.of(2, 3));
  });

  test('a tensor must not be named __metadata__, and its shape must fit its data', () => {
    const data = Float32Array.of(1, 2);
    const write = (key: string, shape: number[]) => () =>
      serializeSafetensors(new Map([[key, { shape, dtype: 'f32', data }]]));
    expect(write('__metadata__', [2])).toThrow(/"__metadata__".*another name/);
    expect(write('w', [3])).toThrow(/"w".*\[3\].*3 numbers.*got 2/);
  });
});

describe('dtypes', () => {
  const bytesOf = (view: ArrayBufferView): Uint8Array =>
    new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();

  test('F16, BF16 and F64 are numbers, and are written as they were', () => {
    // 1.5 and -2 in each; a half that is subnormal, an infinity.
    const half = Uint16Array.of(0x3e00, 0xc000, 0x0001, 0x7c00);
    const brain = Uint16Array.of(0x3fc0, 0xc000, 0x0001, 0x7f80);
    const bytes = [...bytesOf(half), ...bytesOf(brain), ...bytesOf(Float64Array.of(1.5, -2, 0.1, Infinity))];
    const entry = (dtype: string, from: number, to: number): object => {
      return { dtype, shape: [4], data_offsets: [from, to] };
    };
    const header = { h: entry('F16', 0, 8), b: entry('BF16', 8, 16), d: entry('F64', 16, 48) };
    const written = file(header, bytes.length);
    written.set(bytes, written.length - bytes.length);
    const { tensors } = parseSafetensors(written);
    expect(tensors.get('h')).toMatchObject({
      dtype: 'f16',
      data: Float32Array.of(1.5, -2, 2 ** -24, Infinity),
    });
    expect(tensors.get('b')).toMatchObject({
      dtype: 'bf16',
      data: Float32Array.of(1.5, -2, 2 ** -133, Infinity),
    });
    expect(tensors.get('d')).toMatchObject({ dtype: 'f64', data: Float64Array.of(1.5, -2, 0.1, Infinity) });
    const again = parseSafetensors(serializeSafetensors(tensors)).tensors;
    expect([...again]).toEqual([...tensors]);
    expect(float32Of(tensors.get('d') as NamedTensor)).toEqual(Float32Array.of(1.5, -2, 0.1, Infinity));
  });

  test('float32 numbers are rounded to BF16 and F16, ties to even', () => {
    const tie = 1 + 2 ** -8;
    const data = Float32Array.of(tie, 1 + 3 * 2 ** -8, 1 + 2 ** -11, NaN);
    const write = (dtype: 'f16' | 'bf16'): unknown =>
      parseSafetensors(serializeSafetensors(new Map([['w', { dtype, shape: [4], data }]]))).tensors.get('w')
        ?.data;
    expect(write('bf16')).toEqual(Float32Array.of(1, 1 + 2 ** -6, 1, NaN));
    expect(write('f16')).toEqual(Float32Array.of(tie, 1 + 3 * 2 ** -8, 1, NaN));
  });

  test('tensors of other dtypes are kept as bytes, beside weights that load', async () => {
    using runtime = await createRuntime({ backend: 'cpu' });
    const net = await runtime.load(new Linear({ inputSize: 1, outputSize: 1 }));
    const weights = parseSafetensors(await net.save()).tensors;
    const steps: NamedTensor = {
      dtype: 'other',
      stored: 'I64',
      shape: [],
      data: Uint8Array.of(7, 0, 0, 0, 0, 0, 0, 0),
    };
    const written = serializeSafetensors(new Map([...weights, ['num_batches_tracked', steps]]));
    const { tensors } = parseSafetensors(written);
    expect(tensors.get('num_batches_tracked')).toEqual(steps);
    expect(serializeSafetensors(tensors)).toEqual(written);
    expect(() => float32Of(steps)).toThrow(failure('dtype', /expected f32, f64, f16 or bf16, got I64/));
    const halves = new Map(
      [...weights].map(([name, tensor]) => [name, { ...tensor, dtype: 'f16' } as NamedTensor]),
    );
    const loaded = await runtime.load(new Linear({ inputSize: 1, outputSize: 1 }), {
      weights: serializeSafetensors(halves),
    });
    const [weight] = await loaded.context.weights[0].read();
    expect(weight).toBeCloseTo((await net.context.weights[0].read())[0], 3);
    const integers = new Map([...weights, ['weight', { ...steps, shape: [1, 1] }]]);
    await expect(
      runtime.load(new Linear({ inputSize: 1, outputSize: 1 }), { weights: serializeSafetensors(integers) }),
    ).rejects.toThrow(failure('file', /"weight" must be f32, f64, f16 or bf16 \[1, 1\], got I64/));
  });

  test('a dtype that is not known here needs its name to be written', () => {
    const tensor = { dtype: 'other', shape: [1], data: new Uint8Array(1) } as NamedTensor;
    expect(() => serializeSafetensors(new Map([['w', tensor]]))).toThrow(
      /"w" has dtype "other"; expected f32, .* stored/,
    );
  });
});

describe('bytes at any offset', () => {
  const content = parseSafetensors(small());

  test("a Buffer of Node's pool, whose slice() is a view", () => {
    const source = small();
    const pooled = Buffer.from(source);
    expect(pooled.buffer.byteLength).toBeGreaterThan(pooled.byteLength);
    const read = parseSafetensors(pooled);
    expect(read).toEqual(content);
    // The tensors are copies.
    pooled.fill(0xff);
    expect(read).toEqual(content);
  });

  test.each([1, 2, 3, 4, 5, 8])('a Uint8Array that starts at byte %i of its buffer', (offset) => {
    const source = small();
    const whole = new Uint8Array(offset + source.byteLength + 5).fill(0xee);
    whole.set(source, offset);
    const part = whole.subarray(offset, offset + source.byteLength);
    expect(parseSafetensors(part)).toEqual(content);
    expect(refusal(part.subarray(0, -1))).toMatch(/truncated/);
  });

  test('anything but a Uint8Array is refused', () => {
    for (const wrong of [small().buffer, 'text', null, Float32Array.of(1)])
      expect(() => parseSafetensors(wrong as unknown as Uint8Array)).toThrow(
        expect.objectContaining({
          code: 'argument',
          message: expect.stringMatching(/expected a Uint8Array, got/) as string,
        }) as Error,
      );
  });
});

describe('a damaged file', () => {
  test('that is a zip, as torch.save writes it', () => {
    const zip = Uint8Array.of(0x50, 0x4b, 3, 4, 20, 0, 0, 0, 8, 8, 0, 0);
    expect(refusal(zip)).toMatch(
      /this is a zip, such as torch.save writes; write the weights with safetensors\.torch\.save_file/,
    );
  });

  test('truncated at any byte', () => {
    const bytes = small();
    for (let length = 0; length < bytes.byteLength; length++)
      expect(refusal(bytes.subarray(0, length))).toMatch(/truncated/);
  });

  test('with extra bytes at its end', () => {
    const bytes = small();
    const longer = new Uint8Array(bytes.byteLength + 1);
    longer.set(bytes);
    expect(refusal(longer)).toMatch(/end at byte 32, but the file has 33 bytes/);
  });

  test('with any byte of the header length changed', () => {
    const bytes = small();
    for (let at = 0; at < 8; at++) {
      for (const flip of [1, 2, 8, 0x40, 0x80, 0xff]) {
        const damaged = bytes.slice();
        damaged[at] ^= flip;
        refusal(damaged);
      }
    }
  });

  test.each<[string, bigint, RegExp]>([
    ['nothing', 0n, /header is not JSON/],
    ['a byte less', -1n, /header is not JSON/],
    ['2^53 + 1', 2n ** 53n + 1n, /claims 9007199254740993 bytes/],
    ['2^64 - 1', 2n ** 64n - 1n, /claims 18446744073709551615 bytes/],
  ])('whose header length claims %s', (_, claim, message) => {
    const header = JSON.stringify({ w: f32([1], [0, 4]) });
    const stated = claim < 0n ? BigInt(header.length) + claim : claim;
    expect(refusal(file(header, 4, stated))).toMatch(message);
  });

  test('whose header is longer than any header may be', () => {
    const bytes = new Uint8Array(8 + 100_000_001);
    new DataView(bytes.buffer).setBigUint64(0, 100_000_001n, true);
    expect(refusal(bytes)).toMatch(/claims 100000001 bytes; expected at most 100000000/);
  });

  test.each<[string, string]>([
    ['half a header', '{"w": {"dtype": "F32", '],
    ['not JSON', 'PK\u0003\u0004 a zip archive'],
    ['nothing but spaces', '        '],
  ])('whose header is %s', (_, header) => {
    expect(refusal(file(header))).toMatch(/header is not JSON; the file is damaged or is another format/);
  });

  test('whose header is not UTF-8', () => {
    const bytes = file('{"w": 1}');
    bytes[10] = 0xff;
    expect(refusal(bytes)).toMatch(/header is not JSON/);
  });

  test.each(['[]', 'null', '3', '"text"'])('whose header is %s', (header) => {
    expect(refusal(file(header))).toMatch(/header is not a JSON object/);
  });

  test.each<[unknown, RegExp]>([
    [[], /__metadata__ must be an object of strings, got/],
    ['text', /__metadata__ must be an object of strings, got/],
    [null, /__metadata__ must be an object of strings, got/],
    [{ steps: 3 }, /__metadata__ must be an object of strings, got 3 as "steps"/],
  ])('whose metadata is %j', (metadata, message) => {
    expect(refusal(file({ __metadata__: metadata }))).toMatch(message);
  });

  test.each<[string, unknown, RegExp]>([
    ['a tensor that is a number', 3, /"w" is not described by an object/],
    ['a tensor that is null', null, /"w" is not described by an object/],
    ['no fields', {}, /"w" has dtype nothing; expected a name such as F32/],
    ['a dtype that is no text', { ...f32([2], [0, 8]), dtype: 32 }, /dtype 32; expected a name such as F32/],
    ['F64 of half the bytes', { dtype: 'F64', shape: [2], data_offsets: [0, 8] }, /F64 .* needs 16 bytes/],
    ['F16 of twice the bytes', { dtype: 'F16', shape: [2], data_offsets: [0, 8] }, /F16 .* needs 4 bytes/],
    ['no shape', f32(undefined, [0, 8]), /shape nothing; expected whole numbers/],
    ['a shape that is a number', f32(2, [0, 8]), /shape 2; expected whole numbers/],
    ['half an element', f32([1.5], [0, 8]), /shape \[1\.5\]; expected whole numbers/],
    ['a size below 0', f32([-1, -2], [0, 8]), /shape \[-1, -2\]; expected whole numbers/],
    ['a size that is text', f32(['2'], [0, 8]), /shape \["2"\]; expected whole numbers/],
    ['a size past all numbers', f32([2 ** 60], [0, 8]), /expected whole numbers/],
    ['no offsets', f32([2], undefined), /data_offsets nothing; expected its first byte/],
    ['one offset', f32([2], [8]), /data_offsets \[8\]; expected/],
    ['three offsets', f32([2], [0, 4, 8]), /data_offsets \[0, 4, 8\]; expected/],
    ['an offset below 0', f32([2], [-8, 0]), /data_offsets \[-8, 0\]; expected/],
    ['offsets that are text', f32([2], ['0', '8']), /data_offsets \["0", "8"\]; expected/],
    ['offsets backwards', f32([2], [8, 0]), /claims bytes 8 to 0 of 8/],
    ['bytes past the end', f32([3], [0, 12]), /claims bytes 0 to 12 of 8; the file is truncated or damaged/],
    ['more elements than bytes', f32([3], [0, 8]), /shape \[3\] needs 12 bytes, but claims 8/],
    ['fewer elements than bytes', f32([1], [0, 8]), /shape \[1\] needs 4 bytes, but claims 8/],
    ['a scalar of two elements', f32([], [0, 8]), /shape \[\] needs 4 bytes, but claims 8/],
    ['a product that overflows', f32([2 ** 40, 2 ** 40], [0, 8]), /needs \S+ bytes, but claims 8/],
    ['a size of 0 among others', f32([0, 2], [0, 8]), /shape \[0, 2\] needs 0 bytes, but claims 8/],
  ])('with %s', (_, entry, message) => {
    expect(refusal(file({ w: entry }, 8))).toMatch(message);
  });

  test.each<[string, [number, number], [number, number], RegExp]>([
    ['overlap', [0, 8], [4, 12], /"b" begins at byte 4; expected 8/],
    ['are the same bytes', [0, 8], [0, 8], /"b" begins at byte 0; expected 8/],
    ['leave a gap', [0, 8], [12, 20], /"b" begins at byte 12; expected 8/],
    ['leave a gap, in any order', [12, 20], [0, 8], /"a" begins at byte 12; expected 8/],
    ['leave bytes before the first', [4, 12], [12, 20], /"a" begins at byte 4; expected 0/],
    ['leave bytes behind the last', [0, 8], [8, 16], /end at byte 16, but the file has 20 bytes/],
  ])('whose tensors %s', (_, a, b, message) => {
    expect(refusal(file({ a: f32([2], a), b: f32([2], b) }, 20))).toMatch(message);
  });

  test('of random bytes', () => {
    assert(
      property(uint8Array({ maxLength: 64 }), (bytes) => {
        refusal(bytes);
      }),
    );
  });
});

test('tensors may be in another order than in the header', () => {
  const bytes = file({ b: f32([1], [4, 8]), a: f32([1], [0, 4]) }, 8);
  new DataView(bytes.buffer).setFloat32(bytes.byteLength - 8, 1, true);
  new DataView(bytes.buffer).setFloat32(bytes.byteLength - 4, 2, true);
  const { tensors } = parseSafetensors(bytes);
  expect([tensors.get('a')?.data[0], tensors.get('b')?.data[0]]).toEqual([1, 2]);
});
