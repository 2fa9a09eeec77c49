// What a forward pass is asked to show: values of layers' states and gates at each step, and places where gradients are taken.
import { GatewiseError, show } from '../core/errors.ts';
import type { Value } from '../graph/value.ts';

/** A captured value, without a gradient of its own (detached). */
export interface Captured {
  readonly value: Value;
  /** Zeros that were added, and the part of their gradient that is the gradient with respect to the value. */
  readonly tap?: { readonly of: Value; readonly part: (gradient: Value) => Value };
}

/** A layer asks whether something that it can show is wanted, and then adds it. */
export interface Capture {
  /** Whether gradients are wanted, too. */
  readonly gradients: boolean;
  /** Whether a name is wanted, such as `h` or `gates`. */
  wants(name: string): boolean;
  add(name: string, captured: Captured): void;
  /** The capture for a part of the model, whose names get a prefix: `lstm.h`. */
  within(part: string): Capture;
}

/** The capture of one forward pass, and what it has found. */
export class CaptureRecord implements Capture {
  readonly gradients: boolean;
  readonly #wanted: ReadonlySet<string>;
  readonly #offered = new Set<string>();
  readonly #found = new Map<string, Captured>();

  /** @param names Such as `h`, `c` or `gates` of a recurrent layer; in a Sequential `1.h`. */
  constructor(names: readonly string[], gradients = false) {
    this.#wanted = new Set(names);
    this.gradients = gradients;
  }

  wants(name: string): boolean {
    this.#offered.add(name);
    return this.#wanted.has(name);
  }

  add(name: string, captured: Captured): void {
    this.#found.set(name, captured);
  }

  within(part: string): Capture {
    const named = (name: string): string => `${part}.${name}`;
    return {
      gradients: this.gradients,
      wants: (name) => this.wants(named(name)),
      add: (name, captured) => this.add(named(name), captured),
      within: (inner) => this.within(named(inner)),
    };
  }

  /** The captured values, by name. @throws GatewiseError `argument` for a name that the model has not offered. */
  values(what: string): Record<string, Value> {
    return Object.fromEntries([...this.#all(what)].map(([name, { value }]) => [name, value]));
  }

  /**
   * The gradients with respect to the captured values, by name.
   * @param gradientOf The gradient with respect to zeros that were added.
   */
  gradientsBy(what: string, gradientOf: (of: Value) => Value): Record<string, Value> {
    const all = [...this.#all(what)].flatMap(([name, { tap }]) => (tap ? [[name, tap] as const] : []));
    return Object.fromEntries(all.map(([name, { of, part }]) => [name, part(gradientOf(of))]));
  }

  /** All zeros that were added. */
  get taps(): readonly Value[] {
    return [...new Set([...this.#found.values()].flatMap(({ tap }) => (tap ? [tap.of] : [])))];
  }

  #all(what: string): ReadonlyMap<string, Captured> {
    for (const name of this.#wanted)
      if (!this.#found.has(name))
        throw new GatewiseError(
          'argument',
          `${what}: there is no ${show(name)} to capture; the model shows ${show([...this.#offered])}`,
        );
    return this.#found;
  }
}

/** The names of an option `capture`; none unless given. */
export function readCapture(what: string, names: readonly string[] = []): readonly string[] {
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string'))
    throw new GatewiseError(
      'argument',
      `${what}: capture must be a list of names such as ["h"], got ${show(names)}`,
    );
  return names;
}
