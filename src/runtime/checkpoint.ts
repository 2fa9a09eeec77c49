// A trainer's checkpoint: weights, optimizer states and, of a stateful trainer, the model's states, as safetensors.
import { GatewiseError, show } from '../core/errors.ts';
import { parseSafetensors, serializeSafetensors, type NamedTensor } from '../io/safetensors.ts';
import type { Optimizer } from '../nn/optimizer.ts';
import type { ParameterLayout } from './parameters.ts';

export interface Checkpoint<Numbers = ArrayLike<number>> {
  /** All parameters, flat. */
  readonly weights: Numbers;
  /** Of the optimizer, each as flat as the weights. */
  readonly optimizer: readonly Numbers[];
  /** Of the model, by name. */
  readonly states: ReadonlyMap<string, NamedTensor>;
  readonly steps: number;
}

const optimizerPrefix = (state: string): string => `optimizer.${state}.`;
const STATE_PREFIX = 'state.';

export function writeCheckpoint(
  layout: ParameterLayout,
  optimizer: Optimizer,
  { weights, optimizer: optimizerStates, states, steps }: Checkpoint,
  metadata: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const tensors = new Map([
    ...layout.toTensors(weights),
    ...optimizerStates.flatMap((flat, i) => [
      ...layout.toTensors(flat, optimizerPrefix(optimizer.states[i])),
    ]),
    ...[...states].map(([name, tensor]) => [STATE_PREFIX + name, tensor] as const),
  ]);
  return serializeSafetensors(tensors, {
    ...metadata,
    format: 'pt',
    optimizer: optimizer.name,
    steps: String(steps),
  });
}

/** @throws GatewiseError `file` where the bytes are no checkpoint of this optimizer and these parameters. */
export function readCheckpoint(
  layout: ParameterLayout,
  optimizer: Optimizer,
  bytes: Uint8Array,
): Checkpoint<Float32Array> & { readonly metadata: Readonly<Record<string, string>> } {
  const { tensors, metadata } = parseSafetensors(bytes);
  const steps = Number(metadata['steps']);
  if (metadata['optimizer'] !== optimizer.name || !Number.isSafeInteger(steps) || steps < 0) {
    throw new GatewiseError(
      'file',
      `trainer: expected a checkpoint of ${optimizer.name} with its steps, got optimizer ${show(metadata['optimizer'])} and steps ${show(metadata['steps'])}; trainer.save() writes one, net.save() the weights alone`,
    );
  }
  const prefixes = optimizer.states.map(optimizerPrefix);
  const isState = (name: string): boolean =>
    name.startsWith(STATE_PREFIX) && !layout.entries.some((entry) => entry.name === name);
  layout.checkKnown(
    [...tensors.keys()].filter((name) => !isState(name)),
    ['', ...prefixes],
  );
  const states = [...tensors].flatMap(([name, tensor]) =>
    isState(name) ? [[name.slice(STATE_PREFIX.length), tensor] as const] : [],
  );
  return {
    weights: layout.fromTensors(tensors),
    optimizer: prefixes.map((prefix) => layout.fromTensors(tensors, prefix)),
    states: new Map(states),
    steps,
    metadata,
  };
}
