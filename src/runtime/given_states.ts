// States that a caller gives to a model, by name.
import { GatewiseError, show } from '../core/errors.ts';
import type { Layer } from '../nn/layer.ts';
import type { HostData } from './host.ts';
import { toArgument } from './net_context.ts';
import type { Argument } from './program.ts';
import { Tensor } from './tensor.ts';

export type GivenStates = Readonly<Record<string, Tensor | HostData>>;

/** Those that are given, as arguments of a plan. @throws GatewiseError `argument` where the model has no such state. */
export function givenStates(
  what: string,
  model: Layer,
  states: GivenStates = {},
): Readonly<Record<string, Argument>> {
  const known = model.states.map(({ name }) => name);
  if (typeof states !== 'object' || states === null || Array.isArray(states) || states instanceof Tensor)
    throw new GatewiseError(
      'argument',
      `${what}: expected states by name, such as { ${known[0] ?? 'h'}: … }, got ${show(states)}`,
    );
  const unknown = Object.keys(states).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new GatewiseError(
      'argument',
      `${what}: the model has no state ${show(unknown)}; expected ${show(known)}`,
    );
  return Object.fromEntries(
    Object.entries(states).map(([name, state]) => [name, toArgument(`${what}: state ${name}`, state, 'f32')]),
  );
}
