// Cells whose units have no multiplicative gates.
import { add, mul, relu, tanh } from '../expr/arith.ts';
import { defineCell, type Cell } from './cell.ts';
import { inputOnly } from './declaration.ts';

/** Elman, "Finding structure in time", 1990; PyTorch's nn.RNN with either nonlinearity. */
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

/** Each unit reads h of itself alone: Li et al., "Independently recurrent neural network (IndRNN)", 2018. */
export const indrnn: Cell = /* @__PURE__ */ defineCell({
  name: 'indrnn',
  gates: [inputOnly('a')],
  states: ['h'],
  weights: { weight_u: 'uniform' },
  update: ({ a }, { h }, { weight_u }) => ({ h: relu(add(a, mul(weight_u, h))) }),
});
