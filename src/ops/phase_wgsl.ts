// The WGSL of the phases of a cell's step: what shaders/lib/recurrent.wgsl has spliced in. It shows the shape of it.
import type { Phase, Term, Write } from '../cells/phases.ts';
import { parsePlace } from '../cells/places.ts';
import { GatewiseError, show } from '../core/errors.ts';
import { inputsOf, type Expr } from '../expr/expr.ts';
import { toWGSL } from '../expr/wgsl.ts';
import { matrixOf, type RecurrentAttrs, type RecurrentLayout } from './recurrent_layout.ts';
import type { Keeping } from './recurrent_shape.ts';

/** A vector that products read, and the matrices that take it. */
export interface Reading {
  readonly source: Expr;
  readonly depth: number;
  /** Each adds to a product of the phase. */
  readonly takes: readonly { readonly term: Term; readonly result: number }[];
}

const keyOf = ({ matrix, source }: Term): string => `${matrix} ${inputsOf([source]).join()}`;

/** Vectors of a phase's products, all taken by equally many matrices, since the kernel's loops are unrolled alike. */
export function readingsOf(layout: RecurrentLayout, { products }: Phase): Reading[] {
  const all = products.flatMap(({ terms }, result) => terms.map((term) => ({ term, result })));
  const bySource = new Map<Expr, { term: Term; result: number }[]>();
  for (const take of all) bySource.set(take.term.source, [...(bySource.get(take.term.source) ?? []), take]);
  const groups = [...bySource.values()].map((takes) =>
    takes.toSorted((a, b) => a.term.matrix.localeCompare(b.term.matrix, 'en', { numeric: true })),
  );
  const isRectangle = groups.every(({ length }) => length === groups[0].length);
  // In an order of the matrices, so that all forms of a pass read packed weights alike.
  const single = all.toSorted((a, b) => keyOf(a.term).localeCompare(keyOf(b.term), 'en', { numeric: true }));
  const ordered = groups.toSorted(([a], [b]) =>
    keyOf(a.term).localeCompare(keyOf(b.term), 'en', { numeric: true }),
  );
  return (isRectangle ? ordered : single.map((take) => [take])).map((takes) => ({
    source: takes[0].term.source,
    depth: layout.width(takes[0].term.depth),
    takes,
  }));
}

/** A phase, and how its products read their weights. */
export interface PhaseText {
  readonly phase: Phase;
  readonly readings: readonly Reading[];
  /** Where in one chain's packed weights each reading begins, in vec4s. */
  readonly starts: readonly number[];
  /** Tiles of units that an invocation takes one after the other. */
  readonly turns: number;
}

/** What the kernels call the packed weights. */
export const PACKED_NAMES = { float32: 'weight', f16: 'halves', int8: 'bytes' } as const;

/** What all phases of a kernel share. */
export interface StepText {
  readonly attrs: RecurrentAttrs;
  readonly layout: RecurrentLayout;
  /** Vec4s of one chain's packed weights. */
  readonly packedPerChain: number;
  readonly hasOutputGradient: boolean;
  /** Whether the states before the step are read where they were given, as `carry`: of a single step. */
  readonly readsInitial: boolean;
  /** Whether four invocations load each vector together, a fourth each. */
  readonly together: boolean;
  readonly keeping: Keeping;
}

/** How a function of the generated text speaks of places. */
class Scope {
  readonly #of: StepText;
  readonly #lets = new Map<string, string>();

  constructor(of: StepText) {
    this.#of = of;
  }

  /** A name for a value that is worked out once, at the head of the function. */
  #let(name: string, value: string): string {
    this.#lets.set(name, value);
    return name;
  }

  get head(): string[] {
    return ['let order = next - 1u;', ...[...this.#lets].map(([name, value]) => `let ${name} = ${value};`)];
  }

  /** A product; of int8 in units of 127ths of its row's largest weight, which is then what is still to multiply by. */
  product(index: number, terms: readonly Term[]): string {
    const { layout } = this.#of;
    if (layout.precision !== 'int8') return `product[${index}]`;
    const [term, ...more] = terms;
    const { matrix, part, transposed } = matrixOf(layout, term);
    if (more.length > 0 || transposed)
      throw new GatewiseError(
        'internal',
        `recurrent: int8 weights in a product with ${show(terms.map((one) => one.matrix))}`,
      );
    const { before, all } = layout.matrixRows;
    const first = before[matrix] + part * this.#of.attrs.hidden;
    return this.#let(`sum_${index}`, `product[${index}] * largest[chain * ${all}u + ${first}u + unit]`);
  }

  /** The index of element `unit` of the output. */
  output(unit: string): string {
    const { layout } = this.#of;
    const row = `output_row(chain, order, row) * ${layout.stateWidth(0)}u`;
    return `${this.#let('out', row)} + ${unit}`;
  }

  /** Element `unit` of a place to be read: before the first step, states that start at zero are not in memory. */
  read(name: string, unit: string): string {
    const place = this.at(name, unit);
    return this.#of.attrs.fromZero && name.startsWith('state') ? `select(0.0, ${place}, order > 0u)` : place;
  }

  /** Element `unit` of a place. */
  at(name: string, unit: string): string {
    const { attrs, layout, hasOutputGradient } = this.#of;
    const [kind, index] = parsePlace(name);
    switch (kind) {
      case 'slot':
      case 'following':
      case 'above': {
        const [base, row] = ROWS_OF_STASH[kind];
        return `stash[${this.#let(base, `${row} * ${layout.row}u`)} + ${layout.slotOffset[index]}u + ${unit}]`;
      }
      case 'state':
      case 'below':
      case 'after': {
        if (kind === 'state' && this.#of.readsInitial) return this.at(`carry${index}`, unit);
        const done = kind === 'state' ? 'order' : 'next';
        const first = `${layout.stateOffset[index] * layout.chains}u * state_times() * params.batch`;
        const whose = kind === 'below' ? 'chain - 1u' : 'chain';
        const row = `state_row(${whose}, ${done}, row) * ${layout.stateWidth(index)}u`;
        return `states[${this.#let(`${kind}_${index}`, `${first} + ${row}`)} + ${unit}]`;
      }
      case 'carry': {
        const first = `${layout.stateOffset[index] * layout.chains}u * params.batch`;
        const row = `(chain * params.batch + row) * ${layout.stateWidth(index)}u`;
        return `carry[${this.#let(`carry_${index}`, `${first} + ${row}`)} + ${unit}]`;
      }
      case 'output': {
        if (!hasOutputGradient) return '0.0f';
        const d = `d_output[${this.output(unit)}]`;
        return layout.stacked ? `select(0.0, ${d}, is_last(chain))` : d;
      }
      case 'bias':
        return `vectors[chain * ${layout.vectors}u + ${index * attrs.hidden}u + ${unit}]`;
      case 'weight':
        return `vectors[chain * ${layout.vectors}u + ${layout.weightOffset + index * attrs.hidden}u + ${unit}]`;
      case 'keep':
        return `rows[(chain * params.batch + row) * ${layout.stateWidth(0)}u + ${unit}]`;
      case 'active':
        return `select(0.0, 1.0, is_active(chain, order, row))`;
      default: {
        const counter = `vec4u(row * ${attrs.hidden}u + ${unit}, ${attrs.stream}u, time_of(chain, order) * 2u + chain, ${1 + (index >> 2)}u)`;
        const key = 'vec2u(bitcast<u32>(seed[0]), bitcast<u32>(seed[1]))';
        return `unit_uniform(philox(${counter}, ${key}).${'xyzw'[index & 3]})`;
      }
    }
  }
}

/** Rows of the stash that a step speaks of: what the text calls where they begin, and the rows. */
const ROWS_OF_STASH = {
  slot: ['here', 'stash_row(chain, order, row)'],
  following: ['next_row', 'stash_row(chain, next, row)'],
  above: ['above_row', 'stash_row(chain + 1u, order, row)'],
} as const;

/** What a packed quad is, and as four numbers. */
const PACKED = {
  float32: { type: 'vec4f', unpacked: 'quad' },
  f16: { type: 'vec2u', unpacked: 'from_halves(quad)' },
  int8: { type: 'u32', unpacked: 'from_bytes(quad)' },
} as const;

const indent = (lines: readonly string[], by = '  '): string =>
  lines.map((line) => `${by}${line}`).join('\n');

/** All phases of a kernel: the n-th phase's names end in _n. */
export function phasesWGSL(of: StepText, phases: readonly PhaseText[]): string {
  const { precision } = of.layout;
  const { type, unpacked } = PACKED[precision];
  return `// The cell "${of.attrs.cell.name}".
const KEEPS_STATES = ${!of.attrs.lean};
const STACKED = ${of.layout.stacked};
const CHAINS = ${of.layout.chains}u;

fn is_active(chain: u32, order: u32, row: u32) -> bool {
  return ${isActive(of)};
}

alias Packed = ${type};

fn packed_at(at: u32) -> Packed {
  return ${PACKED_NAMES[precision]}[at];
}

fn unpacked(quad: Packed) -> vec4f {
  return ${unpacked};
}

${phases.map((phase, index) => phaseText(of, phase, index)).join('\n\n')}`;
}

function phaseText(of: StepText, { phase, readings, starts, turns }: PhaseText, index: number): string {
  const { layout, attrs } = of;
  const { products, means, writes, finish } = phase;
  const results = Math.max(1, products.length);
  const takes = readings.flatMap((reading) => reading.takes.map(({ result }) => `${result}u`));
  const named =
    (scope: Scope) =>
    (name: string): string => {
      const product = products.findIndex((p) => p.name === name);
      const mean = means.findIndex((m) => m.name === name);
      if (product >= 0) return scope.product(product, products[product].terms);
      return mean >= 0 ? `mean[${mean}]` : scope.read(name, 'unit');
    };
  const body = (list: readonly Write[]): string => {
    const scope = new Scope(of);
    const { statements, results: values } = toWGSL(
      list.map(({ value }) => value),
      named(scope),
    );
    const stores = list.flatMap(({ to }, i) => [
      `${scope.at(to, 'unit')} = ${values[i]};`,
      // Where not all states are kept, the output is no part of them.
      ...(attrs.lean && to === 'after0' ? outputOf(`output[${scope.output('unit')}] = ${values[i]};`) : []),
    ]);
    return indent([...scope.head, ...statements, ...stores]);
  };
  const outputOf = (store: string): string[] =>
    layout.stacked ? ['if (is_last(chain)) {', `  ${store}`, '}'] : [store];
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
    return indent([...scope.head, `var mean: array<f32, MEANS_${index}>;`, ...loops, 'return mean;']);
  };
  const moment = 'next: u32, chain: u32, row: u32';
  const args = `${moment}, unit: u32, product: array<f32, RESULTS_${index}>`;
  return `// ${writes.map(({ to }) => to).join(', ')}
const WIDTH_${index} = ${layout.width(phase.width)}u;
const RESULTS_${index} = ${results}u;
const GROUPS_${index} = ${readings.length}u;
const TAKES_${index} = ${readings[0]?.takes.length ?? 0}u;
const MEANS_${index} = ${Math.max(1, means.length)}u;
const RESULT_${index} = array<u32, ${Math.max(1, takes.length)}>(${takes.join(', ') || '0u'});
const FINISHES_${index} = ${finish.length > 0};
const TURNS_${index} = ${turns}u;

${readings.length > 0 ? weightsText(of.keeping, index) : ''}
${readings.map((reading, i) => readingText(of, phase, reading, starts[i], `${index}_${i}`)).join('\n')}
fn means_of_${index}(${moment}) -> array<f32, MEANS_${index}> {
${means.length === 0 ? `  return array<f32, MEANS_${index}>();` : meanLoops()}
}

fn update_${index}(${args}, mean: array<f32, MEANS_${index}>) {
${body(writes)}
}

fn finish_${index}(${args}) {
${body(finish)}
}`;
}

/** Where the quads of a phase's weights are at a step. */
function weightsText(keeping: Keeping, index: number): string {
  const held = `var<private> held_${index}: array<Packed, GROUPS_${index} * COPIES_${index} * TAKES_${index}>;\n\n`;
  const quads = { streamed: 'packed_at(at)', shared: 'shared_weights[at]', held: `held_${index}[place]` };
  return `${keeping === 'held' ? held : ''}fn weight_at_${index}(at: u32, place: u32) -> vec4f {
  return unpacked(${quads[keeping]});
}
`;
}

function isActive({ attrs, layout }: StepText): string {
  if (!attrs.masked) return 'true';
  const keep = attrs.cell.dropsRecurrent ? `${layout.chains * layout.stateWidth(0)}u * params.batch + ` : '';
  return `rows[${keep}stash_row(chain, order, row)] != 0.0`;
}

/** Functions of one vector: where it begins, its elements, and whether it is worth multiplying. */
function readingText(
  of: StepText,
  phase: Phase,
  { source, depth }: Reading,
  start: number,
  suffix: string,
): string {
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
  const [kind] = parsePlace(name);
  const isZero = of.attrs.fromZero && kind === 'state';
  const exists = phase.finish.length > 0 || isZero ? `next > ${isZero ? 1 : 0}u && ` : '';
  const live =
    {
      following: 'next < params.steps && is_active(chain, next, row)',
      above: `${exists}!is_last(chain) && is_active(chain + 1u, next - 1u, row)`,
      below: `chain > 0u && is_active(chain, next - 1u, row)`,
    }[kind] ?? `${exists}is_active(chain, next - 1u, row)`;
  return `fn weight_start_${suffix}(chain: u32) -> u32 {
  return ${of.keeping === 'shared' ? '' : `chain * ${of.packedPerChain}u + `}${start}u;
}

fn depth_${suffix}() -> u32 {
  return ${depth}u;
}

fn base_of_${suffix}(next: u32, chain: u32, row: u32) -> u32 {
${head}
  return ${base};
}

fn source_${suffix}(base: u32, chain: u32, row: u32, k: u32) -> f32 {
  return ${elements.join(' * ')};
}

fn vector_${suffix}(base: u32, chain: u32, row: u32, k: u32, lane: u32) -> vec4f {
${indent(of.together ? sharedVector(suffix, depth) : ownVector(suffix, depth))}
}

fn is_live_${suffix}(next: u32, chain: u32, row: u32) -> bool {
  return ${live};
}
`;
}

/** Four elements of a vector; what lies past its end is 0. */
function ownVector(suffix: string, depth: number): string[] {
  const element = (n: number): string => `source_${suffix}(base, chain, row, k + ${n}u)`;
  if (depth % 4 === 0) return [`return vec4f(${[0, 1, 2, 3].map(element).join(', ')});`];
  return [
    'var x = vec4f();',
    'for (var i = 0u; i < 4u; i++) {',
    `  if (k + i < ${depth}u) {`,
    `    x[i] = source_${suffix}(base, chain, row, k + i);`,
    '  }',
    '}',
    'return x;',
  ];
}

/** The same, of which each of four invocations has loaded one. */
function sharedVector(suffix: string, depth: number): string[] {
  const own = `source_${suffix}(base, chain, row, ${depth % 4 === 0 ? 'k + lane' : `min(k + lane, ${depth - 1}u)`})`;
  return [
    `let own = ${depth % 4 === 0 ? own : `select(0.0, ${own}, k + lane < ${depth}u)`};`,
    `return vec4f(${[0, 1, 2, 3].map((n) => `quadBroadcast(own, ${n}u)`).join(', ')});`,
  ];
}
