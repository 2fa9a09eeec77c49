// PyTorch's nn.Sequential: each layer reads the output of the one before. Names of parameters and states are prefixed by the
// layer's position, as in `1.h`.
import { GatewiseError, show } from '../core/errors.ts';
import type { DType } from '../core/shape.ts';
import type { Value } from '../graph/value.ts';
import type { Context } from './context.ts';
import {
  checkLayer,
  checkStates,
  perStepOf,
  type Layer,
  type LayerResult,
  type Parameter,
  type State,
  type Values,
} from './layer.ts';

export class Sequential implements Layer {
  readonly name = 'Sequential';
  readonly layers: readonly Layer[];
  readonly parameters: readonly Parameter[];
  readonly states: readonly State[];
  readonly inputDType: DType | undefined;
  readonly timeAxis: 0 | 1 | undefined;
  readonly causal: boolean;
  readonly perStep: boolean | undefined;
  readonly ignoresPadding: boolean;

  constructor(layers: readonly Layer[]) {
    if (!Array.isArray(layers))
      throw new GatewiseError('argument', `Sequential: expected a list of layers, got ${show(layers)}`);
    if (layers.length === 0)
      throw new GatewiseError('argument', 'Sequential: expected at least one layer, got none');
    layers.forEach((layer, i) => checkLayer(`Sequential: layer ${i}`, layer));
    const named = <T extends { readonly name: string }>(items: readonly T[], i: number): T[] =>
      items.map((item) => ({ ...item, name: `${i}.${item.name}` }));
    this.layers = layers;
    this.parameters = layers.flatMap((layer, i) => named(layer.parameters, i));
    this.states = layers.flatMap((layer, i) => named(layer.states, i));
    this.inputDType = layers[0].inputDType;
    const axes = new Set(layers.flatMap(({ timeAxis }) => (timeAxis === undefined ? [] : [timeAxis])));
    if (axes.size > 1)
      throw new GatewiseError(
        'argument',
        'Sequential: some layers are batchFirst and some are not; give all the same option',
      );
    this.timeAxis = [...axes][0];
    this.causal = layers.every(({ causal = true }) => causal);
    const perStep = layers.map(perStepOf);
    this.perStep = perStep.includes(false) ? false : perStep.includes(undefined) ? undefined : true;
    this.ignoresPadding = layers.every(({ ignoresPadding = false }) => ignoresPadding);
  }

  forward(x: Value, parameters: Values, states: Values = {}, context: Context = {}): LayerResult {
    checkStates(this.name, this, states);
    let output = x;
    const after: Record<string, Value> = {};
    this.layers.forEach((layer, i) => {
      const own = (values: Values): Values =>
        Object.fromEntries(
          Object.entries(values).flatMap(([name, value]) =>
            name.startsWith(`${i}.`) ? [[name.slice(`${i}.`.length), value]] : [],
          ),
        );
      const { capture } = context;
      const inner = capture ? { ...context, capture: capture.within(String(i)) } : context;
      const result = layer.forward(output, own(parameters), own(states), inner);
      output = result.output;
      for (const [name, value] of Object.entries(result.states)) after[`${i}.${name}`] = value;
    });
    return { output, states: after };
  }
}
