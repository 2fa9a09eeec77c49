// Workloads as ONNX models.
import { onnx } from 'onnx-proto';

import { convertWeights, layouts, type NamedTensor } from '../../src/index.ts';
import type { SequenceTask, StreamTask, Weights } from '../data.ts';
import type { RecurrentKind } from '../workloads.ts';

/** The operator set that last changed LSTM, GRU and RNN. */
const OPSET = 14;

const { AttributeType } = onnx.AttributeProto;
const { DataType } = onnx.TensorProto;
const operators = { lstm: 'LSTM', gru: 'GRU', rnn: 'RNN' } as const;

const value = (name: string, shape: readonly number[]): onnx.IValueInfoProto => {
  const dim = shape.map((dimValue) => ({ dimValue }));
  return { name, type: { tensorType: { elemType: DataType.FLOAT, shape: { dim } } } };
};

const floats = (name: string, { shape, data }: NamedTensor): onnx.ITensorProto => {
  const rawData = new Uint8Array(Float32Array.from(data).buffer);
  return { name, dims: [...shape], dataType: DataType.FLOAT, rawData };
};
const shapeOf = (name: string, shape: readonly number[]): onnx.ITensorProto => {
  const rawData = new Uint8Array(BigInt64Array.from(shape, BigInt).buffer);
  return { name, dims: [shape.length], dataType: DataType.INT64, rawData };
};

function attribute(name: string, value: number | number[] | string): onnx.IAttributeProto {
  if (typeof value === 'number') return { name, type: AttributeType.INT, i: value };
  if (typeof value !== 'string') return { name, type: AttributeType.INTS, ints: value };
  return { name, type: AttributeType.STRING, s: new TextEncoder().encode(value) };
}

/** A model that is put together node by node. */
class Graph {
  readonly #node: onnx.INodeProto[] = [];
  readonly #initializer: onnx.ITensorProto[] = [];

  add(opType: string, input: string[], output: string[], attribute: onnx.IAttributeProto[] = []): void {
    this.#node.push({ opType, input, output, attribute });
  }

  reshape(from: string, to: string, shape: readonly number[]): void {
    this.#initializer.push(shapeOf(`shape of ${to}`, shape));
    this.add('Reshape', [from, `shape of ${to}`], [to]);
  }

  /** A recurrent layer over `x` with its weights; outputs Y (T, D, B, H), Y_h and an LSTM's Y_c (D, B, H). */
  recurrent(
    [cell, weights, layer]: readonly [cell: RecurrentKind, weights: Weights, layer: number],
    [x, ...states]: readonly string[],
    outputs: string[],
  ): void {
    const converted = convertWeights(weights, layouts.pytorch[cell], layouts.onnx[cell], layer);
    this.#initializer.push(...[...converted].map(([name, tensor]) => floats(`${name}${layer}`, tensor)));
    const [directions, , hiddenSize] = converted.get('R')?.shape ?? [];
    const names = [...converted.keys()].map((name) => `${name}${layer}`);
    // The empty name stands for the lengths of sequences, which are absent.
    this.add(operators[cell], [x, ...names, ...(states.length > 0 ? ['', ...states] : [])], outputs, [
      attribute('hidden_size', hiddenSize),
      attribute('direction', directions === 2 ? 'bidirectional' : 'forward'),
      ...(cell === 'gru' ? [attribute('linear_before_reset', 1)] : []),
    ]);
  }

  encode(input: onnx.IValueInfoProto[], output: onnx.IValueInfoProto[]): Uint8Array {
    const graph = { name: 'workload', node: this.#node, initializer: this.#initializer, input, output };
    const opsetImport = [{ domain: '', version: OPSET }];
    return onnx.ModelProto.encode({ irVersion: onnx.Version.IR_VERSION, opsetImport, graph }).finish();
  }
}

/** `X` (T, B, I) to `Y`, the last layer's as ONNX has it: (T, D, B, H). */
export function sequenceModel(task: SequenceTask): Uint8Array {
  const { cell, weights, steps, batch, inputSize, hiddenSize, numLayers, bidirectional } = task;
  const directions = bidirectional ? 2 : 1;
  const graph = new Graph();
  for (let layer = 0; layer < numLayers; layer++) {
    const y = layer === numLayers - 1 ? 'Y' : `Y${layer}`;
    graph.recurrent([cell, weights, layer], [layer === 0 ? 'X' : `X${layer}`], [y]);
    if (y === 'Y') break;
    // To (T, B, D, H), then (T, B, D·H).
    if (bidirectional) graph.add('Transpose', [y], [`rows${layer}`], [attribute('perm', [0, 2, 1, 3])]);
    const shape = [steps, batch, directions * hiddenSize];
    graph.reshape(bidirectional ? `rows${layer}` : y, `X${layer + 1}`, shape);
  }
  const output = value('Y', [steps, directions, batch, hiddenSize]);
  return graph.encode([value('X', [steps, batch, inputSize])], [output]);
}

/** One step: `X` (1, 1, I) and the states by the names of `streamStates` to `Y` (1, 1, 1, H) and the next states. */
export function streamModel({ cell, weights, inputSize, hiddenSize }: StreamTask): Uint8Array {
  const states = streamStates(cell);
  const [before, after] = [0, 1].map((which) => states.map((names) => names[which]));
  const graph = new Graph();
  graph.recurrent([cell, weights, 0], ['X', ...before], ['Y', ...after]);
  const stateOf = (name: string): onnx.IValueInfoProto => value(name, [1, 1, hiddenSize]);
  return graph.encode(
    [value('X', [1, 1, inputSize]), ...before.map(stateOf)],
    [value('Y', [1, 1, 1, hiddenSize]), ...after.map(stateOf)],
  );
}

/** The names of each state before a step and after it. */
export const streamStates = (cell: RecurrentKind): (readonly [before: string, after: string])[] => [
  ['initial_h', 'Y_h'],
  ...(cell === 'lstm' ? [['initial_c', 'Y_c'] as const] : []),
];

/** `A` (M, K) and `B` (K, N) to `Y` (M, N). */
export function matmulModel(rows: number, inner: number, columns: number): Uint8Array {
  const graph = new Graph();
  graph.add('MatMul', ['A', 'B'], ['Y']);
  return graph.encode(
    [value('A', [rows, inner]), value('B', [inner, columns])],
    [value('Y', [rows, columns])],
  );
}
