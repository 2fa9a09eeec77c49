// Elman, "Finding structure in time", 1990; PyTorch's nn.RNN with either nonlinearity.
import { relu, tanh } from '../expr/arith.ts';
import { defineCell, type Cell } from './cell.ts';

export const elmanTanh: Cell = /* @__PURE__ */ defineCell({
  name: 'elman_tanh',
  gates: ['a'],
  states: ['h'],
  update: ({ a }) => ({ h: tanh(a) }),
});

export const elmanRelu: Cell = /* @__PURE__ */ defineCell({
  name: 'elman_relu',
  gates: ['a'],
  states: ['h'],
  update: ({ a }) => ({ h: relu(a) }),
});
