// Names and shapes of parameters, as in PyTorch's state_dict.
import { describe, expect, test } from 'vitest';

import { Embedding, GRU, Linear, Sequential, type Layer } from '../../src/index.ts';
import { kindNames, recurrentKinds } from '../recurrent_kinds.ts';

const INPUTS = 4;
const HIDDEN = 7;

describe('the state_dict', () => {
  const named = (layer: Layer): [string, ...number[]][] =>
    layer.parameters.map(({ name, shape }) => [name, ...shape]);

  test.each(kindNames)("of a %s of two layers equals PyTorch's", (kind) => {
    const { make, gates } = recurrentKinds[kind];
    const options = { inputSize: INPUTS, hiddenSize: HIDDEN, numLayers: 2 };
    const rows = gates * HIDDEN;
    expect(named(make(options))).toEqual([
      ['weight_ih_l0', rows, INPUTS],
      ['weight_hh_l0', rows, HIDDEN],
      ['bias_ih_l0', rows],
      ['bias_hh_l0', rows],
      ['weight_ih_l1', rows, HIDDEN],
      ['weight_hh_l1', rows, HIDDEN],
      ['bias_ih_l1', rows],
      ['bias_hh_l1', rows],
    ]);
    expect(named(make({ ...options, bias: false })).map(([name]) => name)).toEqual([
      'weight_ih_l0',
      'weight_hh_l0',
      'weight_ih_l1',
      'weight_hh_l1',
    ]);
  });

  test('of a Sequential has positions of layers as prefixes', () => {
    const model = new Sequential([
      new Embedding({ numEmbeddings: 11, embeddingDim: INPUTS }),
      new GRU({ inputSize: INPUTS, hiddenSize: HIDDEN, bias: false }),
      new Linear({ inputSize: HIDDEN, outputSize: 11 }),
      new Linear({ inputSize: 11, outputSize: 2, bias: false }),
    ]);
    expect(named(model)).toEqual([
      ['0.weight', 11, INPUTS],
      ['1.weight_ih_l0', 3 * HIDDEN, INPUTS],
      ['1.weight_hh_l0', 3 * HIDDEN, HIDDEN],
      ['2.weight', 11, HIDDEN],
      ['2.bias', 11],
      ['3.weight', 2, 11],
    ]);
    expect(model.states.map(({ name, shape }) => [name, shape(5)])).toEqual([['1.h', [1, 5, HIDDEN]]]);
  });
});
