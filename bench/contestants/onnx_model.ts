// Workloads as ONNX models.
import { onnx } from 'onnx-proto';

import { convertWeights, layouts, type NamedTensor } from '../../src/index.ts';
import type { Weights } from '../data.ts';
import type { MatmulWorkload, RecurrentKind, SequenceWorkload, StreamWorkload } from '../workloads.ts';

/** LSTM, GRU and RNN as they are since then; what ONNX Runtime still reads. */
const OPSET = 14;

const operators = { lstm: 'LSTM', gru: 'GRU', rnn: 'RNN' } as const;

const value = (name: string, shape: readonly number[]): onnx.IValueInfoProto => ({
  name,
  type: {
    tensorType: {
      elemType: onnx.TensorProto.DataType.FLOAT,
      shape: { dim: shape.map((dimValue) => ({ dimValue })) },
    },
  },
});

const floats = (name: string, { shape, data }: NamedTensor): onnx.ITensorProto => ({
  name,
  dims: [...shape],
  dataType: onnx.TensorProto.DataType.FLOAT,
  rawData: new Uint8Array(Float32Array.from(data).buffer),
});
const shapeOf = (name: string, shape: readonly number[]): onnx.ITensorProto => ({
  name,
  dims: [shape.length],
  dataType: onnx.TensorProto.DataType.INT64,
  rawData: new Uint8Array(BigInt64Array.from(shape, BigInt).buffer),
});

const integer = (name: string, i: number): onnx.IAttributeProto => ({
  name,
  type: onnx.AttributeProto.AttributeType.INT,
  i,
});
const integers = (name: string, ints: number[]): onnx.IAttributeProto => ({
  name,
  type: onnx.AttributeProto.AttributeType.INTS,
  ints,
});
const text = (name: string, s: string): onnx.IAttributeProto => ({
  name,
  type: onnx.AttributeProto.AttributeType.STRING,
  s: new TextEncoder().encode(s),
});

type Graph = Required<Pick<onnx.IGraphProto, 'node' | 'initializer' | 'input' | 'output'>>;

/** A recurrent node over `x` with its weights; outputs Y (T, D, B, H), Y_h and an LSTM's Y_c (D, B, H). */
function addRecurrent(
  { node, initializer }: { node: onnx.INodeProto[]; initializer: onnx.ITensorProto[] },
  cell: RecurrentKind,
  weights: Weights,
  layer: number,
  inputs: readonly string[],
  outputs: readonly string[],
): void {
  const converted = convertWeights(weights, layouts.pytorch[cell], layouts.onnx[cell], layer);
  const named = [...converted].map(([name, tensor]) => floats(`${name}${layer}`, tensor));
  initializer.push(...named);
  const [directions, , hiddenSize] = converted.get('R')?.shape ?? [];
  const [x, ...states] = inputs;
  node.push({
    opType: operators[cell],
    // The empty name stands for the lengths of sequences.
    input: [x, ...named.map(({ name }) => name ?? ''), ...(states.length > 0 ? ['', ...states] : [])],
    output: [...outputs],
    attribute: [
      integer('hidden_size', hiddenSize),
      text('direction', directions === 2 ? 'bidirectional' : 'forward'),
      ...(cell === 'gru' ? [integer('linear_before_reset', 1)] : []),
    ],
  });
}

const encode = (graph: Graph): Uint8Array =>
  onnx.ModelProto.encode({
    irVersion: onnx.Version.IR_VERSION,
    opsetImport: [{ domain: '', version: OPSET }],
    graph: { name: 'workload', ...graph },
  }).finish();

/** `X` (T, B, I) to `Y`, the last layer's as ONNX has it: (T, D, B, H). */
export function sequenceModel(workload: SequenceWorkload, weights: Weights): Uint8Array {
  const { cell, steps, batch, inputSize, hiddenSize, numLayers, bidirectional } = workload;
  const directions = bidirectional ? 2 : 1;
  const parts: { node: onnx.INodeProto[]; initializer: onnx.ITensorProto[] } = { node: [], initializer: [] };
  let x = 'X';
  for (let layer = 0; layer < numLayers; layer++) {
    const last = layer === numLayers - 1;
    const y = last ? 'Y' : `Y${layer}`;
    addRecurrent(parts, cell, weights, layer, [x], [y]);
    if (last) break;
    let rows = y;
    if (bidirectional) {
      rows = `rows${layer}`; // (T, B, D, H)
      parts.node.push({
        opType: 'Transpose',
        input: [y],
        output: [rows],
        attribute: [integers('perm', [0, 2, 1, 3])],
      });
    }
    parts.initializer.push(shapeOf(`shape${layer}`, [steps, batch, directions * hiddenSize]));
    x = `X${layer + 1}`;
    parts.node.push({ opType: 'Reshape', input: [rows, `shape${layer}`], output: [x] });
  }
  return encode({
    ...parts,
    input: [value('X', [steps, batch, inputSize])],
    output: [value('Y', [steps, directions, batch, hiddenSize])],
  });
}

/** One step: `X` (1, 1, I) and the states by the names of `streamStates` to `Y` (1, 1, 1, H) and the next states. */
export function streamModel(workload: StreamWorkload, weights: Weights): Uint8Array {
  const { cell, inputSize, hiddenSize } = workload;
  const states = streamStates(cell);
  const [before, after] = [states.map(([name]) => name), states.map(([, name]) => name)];
  const parts: { node: onnx.INodeProto[]; initializer: onnx.ITensorProto[] } = { node: [], initializer: [] };
  addRecurrent(parts, cell, weights, 0, ['X', ...before], ['Y', ...after]);
  const state = [1, 1, hiddenSize];
  return encode({
    ...parts,
    input: [value('X', [1, 1, inputSize]), ...before.map((name) => value(name, state))],
    output: [value('Y', [1, 1, 1, hiddenSize]), ...after.map((name) => value(name, state))],
  });
}

/** The names of each state before a step and after it. */
export const streamStates = (cell: RecurrentKind): (readonly [before: string, after: string])[] => [
  ['initial_h', 'Y_h'],
  ...(cell === 'lstm' ? [['initial_c', 'Y_c'] as const] : []),
];

/** `A` (M, K) and `B` (K, N) to `Y` (M, N). */
export const matmulModel = ({
  rows,
  inner,
  columns,
}: Pick<MatmulWorkload, 'rows' | 'inner' | 'columns'>): Uint8Array =>
  encode({
    node: [{ opType: 'MatMul', input: ['A', 'B'], output: ['Y'] }],
    initializer: [],
    input: [value('A', [rows, inner]), value('B', [inner, columns])],
    output: [value('Y', [rows, columns])],
  });
