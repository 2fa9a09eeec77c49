// safetensors: 8 bytes with the header's length, a JSON header, then the tensors' bytes.
// Format: https://github.com/huggingface/safetensors#format. The parser checks every claim of a header.
import { GatewiseError, show } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import { typedArrayType } from '../core/typed_array.ts';
import { fileDTypes, type NamedTensor } from './file_dtypes.ts';

export interface SafetensorsFile {
  readonly tensors: ReadonlyMap<string, NamedTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The first bytes of a zip file: `PK`, 3, 4. */
const ZIP = 0x04034b50;
/** The longest header that the reference implementation accepts. */
const MAX_HEADER = 100_000_000;

function refuse(problem: string, cause?: unknown): never {
  throw new GatewiseError('file', `safetensors: ${problem}`, { cause });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Reads a file. Tensors of other dtypes than `NamedTensor` lists are kept as bytes.
 * @throws GatewiseError `file` where the file is truncated, its header is not what the format says, a tensor's dtype,
 *   shape and bytes disagree, or tensors overlap or leave gaps.
 */
export function parseSafetensors(bytes: Uint8Array): SafetensorsFile {
  if (typedArrayType(bytes) !== 'Uint8Array') {
    throw new GatewiseError(
      'argument',
      `safetensors: expected a Uint8Array, got ${show(bytes)}; wrap an ArrayBuffer as new Uint8Array(buffer)`,
    );
  }
  if (bytes.byteLength < 8)
    refuse(`expected at least 8 bytes, got ${bytes.byteLength}; the file is truncated or is another format`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getBigUint64(0, true);
  if (8n + length > BigInt(bytes.byteLength)) {
    if (view.getUint32(0, true) === ZIP)
      refuse('this is a zip, such as torch.save writes; write the weights with safetensors.torch.save_file');
    refuse(
      `the header claims ${length} bytes, but the file has ${bytes.byteLength - 8} behind its first 8; the file is truncated or is another format`,
    );
  }
  if (length > BigInt(MAX_HEADER))
    refuse(`the header claims ${length} bytes; expected at most ${MAX_HEADER}; the file is another format`);
  const start = 8 + Number(length);
  const header = parseHeader(bytes.subarray(8, start));
  const { __metadata__: metadata = {} } = header;
  if (!isMetadata(metadata))
    refuse(`__metadata__ must be an object of strings, got ${shownMetadata(metadata)}`);
  const entries = Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, entry]) => checkEntry(name, entry, bytes.byteLength - start));
  let end = 0;
  for (const { name, from, to } of entries.toSorted((a, b) => a.from - b.from || a.to - b.to)) {
    if (from !== end)
      refuse(`tensor ${show(name)} begins at byte ${from}; expected ${end}, where the one before it ends`);
    end = to;
  }
  if (end !== bytes.byteLength - start)
    refuse(`the tensors end at byte ${end}, but the file has ${bytes.byteLength - start} bytes of data`);
  const tensors = new Map(
    entries.map(({ name, stored, shape, from, to }): [string, NamedTensor] => {
      // A copy, so that the data is aligned; not slice(), which for Node's Buffer is a view.
      const data = new Uint8Array(bytes.subarray(start + from, start + to));
      const known = knownDType(stored);
      if (known === undefined) return [name, { dtype: 'other', stored, shape, data }];
      const dtype = stored.toLowerCase() as NamedTensor['dtype'];
      return [name, { dtype, shape, data: known.decode(data.buffer) }];
    }),
  );
  return { tensors, metadata };
}

/** The dtype that a file names so, in upper case, if its elements are read as numbers. */
const knownDType = (stored: string) =>
  stored === stored.toUpperCase() ? fileDTypes.get(stored.toLowerCase()) : undefined;

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    refuse('the header is not JSON; the file is damaged or is another format', cause);
  }
  return isRecord(header) ? header : refuse('the header is not a JSON object');
}

function checkEntry(
  name: string,
  entry: unknown,
  available: number,
): { name: string; stored: string; shape: number[]; from: number; to: number } {
  if (!isRecord(entry)) refuse(`tensor ${show(name)} is not described by an object`);
  const { dtype: stored, shape, data_offsets: offsets } = entry;
  if (typeof stored !== 'string')
    refuse(`tensor ${show(name)} has dtype ${show(stored)}; expected a name such as F32`);
  const isCount = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;
  if (!Array.isArray(shape) || !shape.every(isCount))
    refuse(`tensor ${show(name)} has shape ${show(shape)}; expected whole numbers`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    refuse(
      `tensor ${show(name)} has data_offsets ${show(offsets)}; expected its first byte and the byte behind its last`,
    );
  }
  const [from, to] = offsets as [number, number];
  if (from > to || to > available)
    refuse(
      `tensor ${show(name)} claims bytes ${from} to ${to} of ${available}; the file is truncated or damaged`,
    );
  const known = knownDType(stored);
  const needed = known === undefined ? to - from : known.bytes * sizeOf(shape);
  if (to - from !== needed)
    refuse(
      `tensor ${show(name)} of ${stored} and shape ${show(shape)} needs ${needed} bytes, but claims ${to - from}`,
    );
  return { name, stored, shape, from, to };
}

/** Throws unless metadata is an object of strings. @param what the caller, for the error. */
export function checkMetadata(what: string, metadata: unknown): void {
  if (!isMetadata(metadata))
    throw new GatewiseError(
      'argument',
      `${what}: expected metadata as an object of strings, got ${shownMetadata(metadata)}`,
    );
}

const isMetadata = (value: unknown): value is Record<string, string> =>
  isRecord(value) && Object.values(value).every((text) => typeof text === 'string');

/** What is wrong with metadata, such as `1 as "a"`. */
function shownMetadata(value: unknown): string {
  const [name, odd] =
    Object.entries(isRecord(value) ? value : {}).find(([, text]) => typeof text !== 'string') ?? [];
  return name === undefined ? show(value) : `${show(odd)} as ${show(name)}`;
}

/**
 * Writes a file; tensors lie in the order given, each in its dtype. f16 and bf16 are rounded, ties to even, and finite numbers past
 * 65504 are 65504 in f16.
 * @throws GatewiseError `argument` where a tensor's data is not of its shape or its dtype not known, or it is called `__metadata__`, or where
 *   metadata is no object of strings.
 */
export function serializeSafetensors(
  tensors: ReadonlyMap<string, NamedTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  checkMetadata('safetensors', metadata);
  let end = 0;
  const header: [string, unknown][] = Object.keys(metadata).length > 0 ? [['__metadata__', metadata]] : [];
  const parts: ArrayBufferView[] = [];
  for (const [name, tensor] of tensors) {
    const { shape, data } = tensor;
    if (name === '__metadata__')
      throw new GatewiseError(
        'argument',
        'safetensors: "__metadata__" is where a file keeps its metadata; give the tensor another name',
      );
    const known = fileDTypes.get(tensor.dtype);
    if (known === undefined && (tensor.dtype !== 'other' || tensor.stored === undefined))
      throw new GatewiseError(
        'argument',
        `safetensors: tensor ${show(name)} has dtype ${show(tensor.dtype)}; expected ${[...fileDTypes.keys()].join(', ')}, or other with the name in stored`,
      );
    if (known !== undefined && data.length !== sizeOf(shape))
      throw new GatewiseError(
        'argument',
        `safetensors: tensor ${show(name)} of shape ${show(shape)} needs ${sizeOf(shape)} numbers, got ${data.length}`,
      );
    const part = known?.encode(data) ?? data;
    parts.push(part);
    header.push([
      name,
      {
        dtype: tensor.stored ?? tensor.dtype.toUpperCase(),
        shape,
        data_offsets: [end, end + part.byteLength],
      },
    ]);
    end += part.byteLength;
  }
  // Object.fromEntries and not assignment, which for the name `__proto__` would set the prototype.
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  // Padded with spaces, so that the data is aligned to 8 bytes.
  const padded = Math.ceil(json.byteLength / 8) * 8;
  const bytes = new Uint8Array(8 + padded + end).fill(0x20, 8, 8 + padded);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(json, 8);
  let at = 8 + padded;
  for (const { buffer, byteOffset, byteLength } of parts) {
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += byteLength;
  }
  return bytes;
}
