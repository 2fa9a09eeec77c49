// A stream's states as a file, and back: safetensors, with the model's name and the batch in its metadata.
import { GatewiseError, show } from '../core/errors.ts';
import { sameShape } from '../core/shape.ts';
import { parseSafetensors, serializeSafetensors, type NamedTensor } from '../io/safetensors.ts';
import type { Layer } from '../nn/layer.ts';

/** @param states the numbers of each of the model's states, in its order. */
export function statesToFile(
  { name: model, states: declared }: Layer,
  batch: number,
  states: readonly ArrayLike<number>[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const tensors = declared.map(({ name, shape }, i): [string, NamedTensor] => [
    name,
    { shape: shape(batch), dtype: 'f32', data: Float32Array.from(states[i]) },
  ]);
  return serializeSafetensors(new Map(tensors), { ...metadata, format: 'pt', model, batch: String(batch) });
}

/** The numbers of each of the model's states, in its order, and the file's metadata. */
export function statesFromFile(
  { name: model, states: declared }: Layer,
  batch: number,
  bytes: Uint8Array,
): { states: readonly NamedTensor['data'][]; metadata: Readonly<Record<string, string>> } {
  const refuse = (problem: string): never => {
    throw new GatewiseError('file', `restore: ${problem}`);
  };
  const { tensors, metadata } = parseSafetensors(bytes);
  const { model: savedModel, batch: savedBatch } = metadata;
  if (savedModel === undefined || savedBatch === undefined)
    refuse(
      `expected what stream.save() wrote, with model and batch in its metadata, got ${show(Object.keys(metadata))}`,
    );
  if (savedModel !== model)
    refuse(`the file is of a stream of ${savedModel}; expected one of ${model}, the model of this stream`);
  if (savedBatch !== String(batch))
    refuse(`the file is of a stream of batch ${savedBatch}; expected ${batch}, the batch of this stream`);
  const unknown = [...tensors.keys()].find((name) => !declared.some((state) => state.name === name));
  if (unknown !== undefined)
    refuse(`the model has no state ${show(unknown)}; expected ${show(declared.map(({ name }) => name))}`);
  const states = declared.map(({ name, shape }) => {
    const tensor = tensors.get(name);
    if (tensor === undefined)
      return refuse(`no state ${show(name)} in the file, which has ${show([...tensors.keys()])}`);
    if (tensor.dtype !== 'f32' || !sameShape(tensor.shape, shape(batch)))
      return refuse(
        `state ${show(name)} must be f32 ${show(shape(batch))}, got ${tensor.dtype} ${show(tensor.shape)}; was the file saved from another model?`,
      );
    return tensor.data;
  });
  return { states, metadata };
}
