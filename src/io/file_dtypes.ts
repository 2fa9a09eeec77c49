// The dtypes of tensors in safetensors files: those whose elements are read as numbers, and all others, which are kept as bytes.
import { GatewiseError } from '../core/errors.ts';
import { bfloat16Bits, bfloat16ToNumber, halfBits, halfToNumber } from '../core/half.ts';
import type { Shape } from '../core/shape.ts';

/** A tensor of a file: elements in row-major order. */
export interface NamedTensor {
  readonly shape: Shape;
  /** `other`: any dtype but these, such as I64 or BOOL, which `stored` names. */
  readonly dtype: 'f32' | 'f64' | 'f16' | 'bf16' | 'i32' | 'other';
  /** Float32Array also for f16 and bf16, which are rounded when they are written; for `other` its bytes. */
  readonly data: Float32Array | Float64Array | Int32Array | Uint8Array;
  /** The file's name of a dtype that is `other`. */
  readonly stored?: string;
}

type Data = NamedTensor['data'];

interface FileDType {
  /** Of an element. */
  readonly bytes: number;
  readonly decode: (buffer: ArrayBuffer) => Data;
  readonly encode: (data: Data) => ArrayBufferView;
}

const rounded = (toNumber: (bits: number) => number, toBits: (x: number) => number): FileDType => ({
  bytes: 2,
  decode: (buffer) => Float32Array.from(new Uint16Array(buffer), toNumber),
  encode: (data) => Uint16Array.from(data, toBits),
});
const plain = (bytes: number, decode: FileDType['decode']): FileDType => ({
  bytes,
  decode,
  encode: (data) => data,
});

/** By dtype, which a file writes in upper case. */
export const fileDTypes: ReadonlyMap<string, FileDType> = new Map([
  ['f32', plain(4, (buffer) => new Float32Array(buffer))],
  ['f64', plain(8, (buffer) => new Float64Array(buffer))],
  ['f16', rounded(halfToNumber, halfBits)],
  ['bf16', rounded(bfloat16ToNumber, bfloat16Bits)],
  ['i32', plain(4, (buffer) => new Int32Array(buffer))],
]);

/** The dtype of a tensor, for errors. */
export const dtypeText = ({ dtype, stored = 'other' }: NamedTensor): string =>
  dtype === 'other' ? stored : dtype;

export const isFloat = ({ dtype }: NamedTensor): boolean => ['f32', 'f64', 'f16', 'bf16'].includes(dtype);

/**
 * The elements of a tensor of floating-point numbers as float32.
 * @throws GatewiseError `dtype` for any other dtype.
 */
export function float32Of(tensor: NamedTensor): Float32Array {
  if (!isFloat(tensor))
    throw new GatewiseError('dtype', `expected f32, f64, f16 or bf16, got ${dtypeText(tensor)}`);
  return tensor.data instanceof Float32Array ? tensor.data : Float32Array.from(tensor.data);
}
