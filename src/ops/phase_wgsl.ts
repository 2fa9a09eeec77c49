// The WGSL of a phase of a cell's step: what recurrent_step.wgsl has spliced in. It shows the shape of it.
import type { Phase, Term, Write } from '../cells/phases.ts';
import { parsePlace } from '../cells/program.ts';
import { inputsOf, type Expr } from '../expr/expr.ts';
import { toWGSL } from '../expr/wgsl.ts';
import type { RecurrentAttrs, RecurrentLayout } from './recurrent_layout.ts';

/** A vector that products read, and the matrices that take it. */
export interface Reading {
  readonly source: Expr;
  readonly depth: number;
  /** Each adds to a product of the phase. */
  readonly takes: readonly { readonly term: Term; readonly result: number }[];
}

/** Vectors of a phase's products, all taken by equally many matrices, since the kernel's loops are unrolled alike. */
export function readingsOf(layout: RecurrentLayout, { products }: Phase): Reading[] {
  const all = products.flatMap(({ terms }, result) => terms.map((term) => ({ term, result })));
  const bySource = new Map<Expr, { term: Term; result: number }[]>();
  for (const take of all) bySource.set(take.term.source, [...(bySource.get(take.term.source) ?? []), take]);
  const groups = [...bySource.values()].map((takes) =>
    takes.toSorted((a, b) => a.term.matrix.localeCompare(b.term.matrix, 'en', { numeric: true })),
  );
  const isRectangle = groups.every(({ length }) => length === groups[0].length);
  return (isRectangle ? groups : all.map((take) => [take])).map((takes) => ({
    source: takes[0].term.source,
    depth: layout.width(takes[0].term.depth),
    takes,
  }));
}

export interface PhaseText {
  readonly attrs: RecurrentAttrs;
  readonly layout: RecurrentLayout;
  readonly phase: Phase;
  readonly readings: readonly Reading[];
  /** Of each reading in the packed weights: vec4s of one direction, and where the reading begins. */
  readonly packed: { readonly perDirection: number; readonly starts: readonly number[] };
  readonly hasOutputGradient: boolean;
}

/** How a function of the generated text speaks of places. */
class Scope {
  readonly #of: PhaseText;
  readonly #order: string;
  readonly #lets = new Map<string, string>();

  constructor(of: PhaseText, order = 'order') {
    this.#of = of;
    this.#order = order;
  }

  /** A name for a value that is worked out once, at the head of the function. */
  #let(name: string, value: string): string {
    this.#lets.set(name, value);
    return name;
  }

  get head(): string[] {
    return [
      'let order = params.next - 1u;',
      ...[...this.#lets].map(([name, value]) => `let ${name} = ${value};`),
    ];
  }

  /** Element `unit` of a place. */
  at(name: string, unit: string): string {
    const { attrs, layout, hasOutputGradient } = this.#of;
    const order = this.#order;
    const [kind, index] = parsePlace(name);
    switch (kind) {
      case 'slot':
      case 'following': {
        const when = kind === 'slot' ? order : `${order} + 1u`;
        const base = this.#let(
          kind === 'slot' ? 'here' : 'next_row',
          `stash_row(direction, ${when}, row) * ${layout.row}u`,
        );
        return `stash[${base} + ${layout.slotOffset[index]}u + ${unit}]`;
      }
      case 'state':
      case 'after': {
        const done = kind === 'state' ? order : `${order} + 1u`;
        const first = `${layout.stateOffset[index] * layout.directions}u * (params.steps + 1u) * params.batch`;
        const row = `state_row(direction, ${done}, row) * ${layout.stateWidth(index)}u`;
        return `states[${this.#let(`${kind}_${index}`, `${first} + ${row}`)} + ${unit}]`;
      }
      case 'carry': {
        const first = `${layout.stateOffset[index] * layout.directions}u * params.batch`;
        const row = `(direction * params.batch + row) * ${layout.stateWidth(index)}u`;
        return `carry[${this.#let(`carry_${index}`, `${first} + ${row}`)} + ${unit}]`;
      }
      case 'output': {
        if (!hasOutputGradient) return '0.0f';
        const row = `((time_of(direction, ${order}) * params.batch + row) * ${layout.directions}u + direction)`;
        return `d_output[${this.#let('output', `${row} * ${layout.stateWidth(0)}u`)} + ${unit}]`;
      }
      case 'bias':
        return `vectors[direction * ${layout.vectors}u + ${index * attrs.hidden}u + ${unit}]`;
      case 'weight':
        return `vectors[direction * ${layout.vectors}u + ${layout.weightOffset + index * attrs.hidden}u + ${unit}]`;
      case 'keep':
        return `rows[(direction * params.batch + row) * ${layout.stateWidth(0)}u + ${unit}]`;
      case 'active':
        return `select(0.0, 1.0, is_active(direction, ${order}, row))`;
      default: {
        const counter = `vec4u(row * ${attrs.hidden}u + ${unit}, ${attrs.stream}u, time_of(direction, ${order}) * 2u + direction, ${1 + (index >> 2)}u)`;
        const key = 'vec2u(bitcast<u32>(seed[0]), bitcast<u32>(seed[1]))';
        return `unit_uniform(philox(${counter}, ${key}).${'xyzw'[index & 3]})`;
      }
    }
  }
}

const indent = (lines: readonly string[], by = '  '): string =>
  lines.map((line) => `${by}${line}`).join('\n');

export function phaseWGSL(of: PhaseText): string {
  const { layout, phase, readings, attrs } = of;
  const { products, means, writes, finish } = phase;
  const results = Math.max(1, products.length);
  const takes = readings.flatMap((reading) => reading.takes.map(({ result }) => `${result}u`));
  const named =
    (scope: Scope) =>
    (name: string): string => {
      const product = products.findIndex((p) => p.name === name);
      const mean = means.findIndex((m) => m.name === name);
      if (product >= 0) return `product[${product}]`;
      return mean >= 0 ? `mean[${mean}]` : scope.at(name, 'unit');
    };
  const body = (list: readonly Write[]): string => {
    const scope = new Scope(of);
    const { statements, results: values } = toWGSL(
      list.map(({ value }) => value),
      named(scope),
    );
    const stores = list.map(({ to }, i) => `${scope.at(to, 'unit')} = ${values[i]};`);
    return indent([...scope.head, ...statements, ...stores]);
  };
  const meanLoops = (): string => {
    const scope = new Scope(of);
    const loops = means.flatMap(({ of: value, width }, m) => {
      const {
        statements,
        results: [result],
      } = toWGSL([value], named(scope));
      const units = layout.width(width);
      return [
        `for (var unit = 0u; unit < ${units}u; unit++) {`,
        ...statements.map((line) => `  ${line}`),
        `  mean[${m}] += ${result};`,
        '}',
        `mean[${m}] /= ${units}.0;`,
      ];
    });
    return indent([...scope.head, 'var mean: array<f32, MEANS>;', ...loops, 'return mean;']);
  };
  const args = 'direction: u32, row: u32, unit: u32, product: array<f32, RESULTS>';
  return `// The cell "${attrs.cell.name}": ${writes.map(({ to }) => to).join(', ')}.
const WIDTH = ${layout.width(phase.width)}u;
const RESULTS = ${results}u;
const GROUPS = ${readings.length}u;
const TAKES = ${readings[0]?.takes.length ?? 0}u;
const MEANS = ${Math.max(1, means.length)}u;
const RESULT = array<u32, ${Math.max(1, takes.length)}>(${takes.join(', ') || '0u'});
const FINISHES = ${finish.length > 0};

fn is_active(direction: u32, order: u32, row: u32) -> bool {
  return ${isActive(of)};
}

${readings.map((reading, i) => readingText(of, reading, i)).join('\n')}
fn means_of(direction: u32, row: u32) -> array<f32, MEANS> {
${means.length === 0 ? '  return array<f32, MEANS>();' : meanLoops()}
}

fn update(${args}, mean: array<f32, MEANS>) {
${body(writes)}
}

fn finish(${args}) {
${body(finish)}
}`;
}

function isActive({ attrs, layout }: PhaseText): string {
  if (!attrs.masked) return 'true';
  const keep = attrs.cell.dropsRecurrent
    ? `${layout.directions * layout.stateWidth(0)}u * params.batch + `
    : '';
  return `rows[${keep}stash_row(direction, order, row)] != 0.0`;
}

/** Functions of one vector: where it begins, its elements, and whether it is worth multiplying. */
function readingText(of: PhaseText, { source, depth }: Reading, i: number): string {
  const { packed, phase } = of;
  // A direct vector is memory, or h times variational dropout's factors.
  const parts = 'op' in source.kind ? source.args : [source];
  const [vector, ...factors] = parts.toSorted((a) => (inputsOf([a])[0].startsWith('keep') ? 1 : -1));
  const scope = new Scope(of);
  const name = inputsOf([vector])[0];
  const [buffer, base] = /^(\w+)\[(.+) \+ k\]$/.exec(scope.at(name, 'k'))?.slice(1) ?? [];
  const head = indent(scope.head);
  const elements = [
    `${buffer}[base + k]`,
    ...factors.map((factor) => new Scope(of).at(inputsOf([factor])[0], 'k')),
  ];
  const isFollowing = name.startsWith('following');
  const live = isFollowing
    ? 'params.next < params.steps && is_active(direction, params.next, row)'
    : `${phase.finish.length > 0 ? 'params.next > 0u && ' : ''}is_active(direction, params.next - 1u, row)`;
  return `fn weight_start_${i}(direction: u32) -> u32 {
  return direction * ${packed.perDirection}u + ${packed.starts[i]}u;
}

fn depth_${i}() -> u32 {
  return ${depth}u;
}

fn base_of_${i}(direction: u32, row: u32) -> u32 {
${head}
  return ${base};
}

fn source_${i}(base: u32, direction: u32, row: u32, k: u32) -> f32 {
  return ${elements.join(' * ')};
}

fn is_live_${i}(direction: u32, row: u32) -> bool {
  return ${live};
}
`;
}
