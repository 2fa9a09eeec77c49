// Prints the phases of a cell's step as WGSL, spliced into shaders/lib/recurrent.wgsl, which documents the expected functions.
import type { Phase, Term, Write } from '../../../../cells/phases.ts';
import { Place, placeOf, placesIn } from '../../../../cells/places.ts';
import { GatewiseError, show } from '../../../../core/errors.ts';
import type { Expr } from '../../../../expr/expr.ts';
import { toWGSL } from '../../../../expr/wgsl.ts';
import {
  matrixOf,
  type Address,
  type Extent,
  type RecurrentAttrs,
  type RecurrentLayout,
} from '../../../../ops/recurrent_schedule.ts';
import type { WeightPrecision } from '../../../../ops/weight_precision.ts';
import { WEIGHT_TEXT } from '../weight_text.ts';
import type { Residence } from './geometry.ts';
import type { PackedPhase, VectorReads } from './packing.ts';

/** One pass of a recurrent loop, forward or backward. */
export interface Loop {
  readonly attrs: RecurrentAttrs;
  readonly layout: RecurrentLayout;
  readonly backward: boolean;
  readonly steps: number;
  readonly batch: number;
  readonly phases: readonly PackedPhase[];
  readonly precision: WeightPrecision;
  /** Quads of one pseudo-layer's packed weights. */
  readonly quadsPerLayer: number;
  /** Where the loop reads the initial states: in `states`, nowhere since they are zero, or in the argument (a single step). */
  readonly initial: 'in memory' | 'zero' | 'as given';
}

/** How a launch computes its phases. */
export interface LaunchText {
  readonly residence: Residence;
  /** Whether four invocations load each vector together, one quarter each. */
  readonly together: boolean;
  /** Tiles of units that an invocation computes in sequence. */
  readonly turnsOf: (phase: Phase) => number;
}

/** An extent as WGSL; undefined for 0. A ring of states has at most two times. */
function extentText({ factor, of }: Extent, isRing: boolean): string | undefined {
  if (factor === 0) return undefined;
  const times = isRing ? 'min(2u, params.steps)' : '(params.steps + 1u)';
  const sizes = of.map((name) => ({ steps: 'params.steps', times, batch: 'params.batch' })[name]);
  return [...(factor === 1 && sizes.length > 0 ? [] : [`${factor}u`]), ...sizes].join(' * ');
}

/** The last index of a time axis. */
const LAST = { steps: 'params.steps - 1u', times: 'params.steps', batch: 'params.batch - 1u' } as const;

/** The index on the time axis. @param extent The axis's extent. */
function timeText({ step, order }: Address, extent: Extent): string {
  const count = step === 0 ? 'order' : 'next';
  if (order === 'ring') return `${count} % ${extentText(extent, true) ?? ''}`;
  return order === 'mirrored' ? `select(${count}, ${LAST[extent.of[0]]} - ${count}, layer == 1u)` : count;
}

const layerText = (relative: Address['layer']): string =>
  relative === 0 ? 'layer' : `(layer ${relative > 0 ? '+' : '-'} 1u)`;

/** The index of the first element of a row, without the place's offset in the row. */
function rowText(address: Address): string {
  const { base, axes, width, layer } = address;
  const isRing = address.order === 'ring';
  // Horner's scheme over the axes; an axis of size 1 contributes nothing.
  let row = '';
  for (const { axis, extent } of axes) {
    const isOne = extent.factor === 1 && extent.of.length === 0;
    if (isOne) continue;
    const coordinate = { layer: layerText(layer), time: timeText(address, extent), row: 'row' }[axis];
    row = row === '' ? coordinate : `(${row}) * ${extentText(extent, isRing) ?? '1u'} + ${coordinate}`;
  }
  const rows = width === 1 ? row : row === '' ? '' : `(${row}) * ${width}u`;
  return (
    [extentText(base, isRing), rows].filter((text) => text !== undefined && text !== '').join(' + ') || '0u'
  );
}

/** Loads and stores of places in one generated function. The head of the function computes each row index once. */
function scopeOf({ attrs, layout, precision, initial }: Loop) {
  const lets = new Map<string, string>();
  /** Declares a value at the head of the function and returns its name. */
  const declare = (value: string, name = `row_${lets.size}`): string => {
    const known = lets.get(value) ?? name;
    lets.set(value, known);
    return known;
  };
  /** The buffer of a place, and the index of its first element. */
  const locate = (place: Place): { readonly buffer: string; readonly first: string } => {
    const isGiven = initial === 'as given' && place.kind === 'state';
    const address = layout.addressOf(isGiven ? Place.of('carry', place.index) : place);
    const { tensor, offset } = address;
    return { buffer: tensor, first: `${declare(rowText(address))}${offset === 0 ? '' : ` + ${offset}u`}` };
  };
  /** Element `unit` of a place, as an assignment target. */
  const at = (place: Place): string => {
    const { buffer, first } = locate(place);
    return `${buffer}[${first} + unit]`;
  };
  return {
    head: () => ['let order = next - 1u;', ...[...lets].map(([value, name]) => `let ${name} = ${value};`)],
    locate,
    at,
    /** Element `unit` of a place, as a value. */
    read(place: Place): string {
      switch (place.kind) {
        case 'state':
          return initial === 'zero' ? `select(0.0, ${at(place)}, order > 0u)` : at(place);
        case 'output':
          if (attrs.operands.dOutput === 0) return '0.0f';
          return layout.isWavefront ? `select(0.0, ${at(place)}, is_last(layer))` : at(place);
        case 'active':
          return 'select(0.0, 1.0, is_active(layer, order, row))';
        case 'noise': {
          const output = layout.addressOf(Place.of('output'));
          const time = timeText(output, output.axes[0].extent);
          const counter = `vec4u(row * ${attrs.hidden}u + unit, ${attrs.stream}u, ${time} * 2u + layer, ${1 + (place.index >> 2)}u)`;
          const key = 'vec2u(bitcast<u32>(seed[0]), bitcast<u32>(seed[1]))';
          return `unit_uniform(philox(${counter}, ${key}).${'xyzw'[place.index & 3]})`;
        }
        default:
          return at(place);
      }
    },
    /** A product's WGSL. For int8 it is in units of 1/127 of the row's largest weight and still needs that factor. */
    product(index: number, terms: readonly Term[]): string {
      if (precision !== 'int8') return `product[${index}]`;
      const [term, ...more] = terms;
      const { matrix, part, transposed } = matrixOf(layout, term);
      if (more.length > 0 || transposed)
        throw new GatewiseError(
          'internal',
          `recurrent: int8 weights in a product with ${show(terms.map((one) => one.matrix.name))}`,
        );
      const { before, all } = layout.matrixRows;
      const first = before[matrix] + part * attrs.hidden;
      return declare(`product[${index}] * largest[layer * ${all}u + ${first}u + unit]`, `product_${index}`);
    },
  };
}

const indent = (lines: readonly string[], by = '  '): string =>
  lines.map((line) => `${by}${line}`).join('\n');

/** The WGSL of the phases of a launch; names in the n-th phase end in _n. */
export function phasesWGSL(loop: Loop, phases: readonly PackedPhase[], launch: LaunchText): string {
  const { attrs, layout, precision } = loop;
  const { bindings, type, unpacked } = WEIGHT_TEXT[precision];
  const mask = attrs.masked ? layout.addressOf(Place.of('active')) : undefined;
  return `// The cell "${attrs.cell.name}".
const WAVEFRONT = ${layout.isWavefront};
const LAYERS = ${layout.pseudoLayers}u;

fn is_active(layer: u32, order: u32, row: u32) -> bool {
  return ${mask === undefined ? 'true' : `rows[${rowText(mask)}] != 0.0`};
}

alias Packed = ${type};

fn packed_at(at: u32) -> Packed {
  return ${bindings.recurrent}[at];
}

fn unpacked(quad: Packed) -> vec4f {
  return ${unpacked('quad')};
}

${phases.map((phase, index) => phaseText(loop, phase, launch, index)).join('\n\n')}`;
}

function phaseText(loop: Loop, { phase, vectors }: PackedPhase, launch: LaunchText, index: number): string {
  const { products, means, writes, finish } = phase;
  const targets = vectors.flatMap(({ reads }) => reads.map(({ product }) => `${product}u`));
  const step = 'next: u32, layer: u32, row: u32';
  const args = `${step}, unit: u32, product: array<f32, PRODUCTS_${index}>`;
  return `// ${writes.map(({ to }) => to).join(', ')}
const WIDTH_${index} = ${loop.layout.width(phase.width)}u;
const PRODUCTS_${index} = ${Math.max(1, products.length)}u;
const VECTORS_${index} = ${vectors.length}u;
const MATRICES_${index} = ${vectors[0]?.reads.length ?? 0}u;
const MEANS_${index} = ${Math.max(1, means.length)}u;
const PRODUCT_OF_${index} = array<u32, ${Math.max(1, targets.length)}>(${targets.join(', ') || '0u'});
const FINISHES_${index} = ${finish.length > 0};
const TURNS_${index} = ${launch.turnsOf(phase)}u;

${vectors.length > 0 ? weightsText(launch.residence, index) : ''}
${vectors.map((vector, i) => vectorText(loop, phase, vector, launch, `${index}_${i}`)).join('\n')}
fn means_of_${index}(${step}) -> array<f32, MEANS_${index}> {
${means.length === 0 ? `  return array<f32, MEANS_${index}>();` : meansBody(loop, phase, index)}
}

fn update_${index}(${args}, mean: array<f32, MEANS_${index}>) {
${writesBody(loop, phase, writes)}
}

fn finish_${index}(${args}) {
${writesBody(loop, phase, finish)}
}`;
}

/** The WGSL names of the inputs of a phase's expressions. */
const inputText =
  (scope: ReturnType<typeof scopeOf>, { products, means }: Phase) =>
  (name: string, expr: Expr): string => {
    const place = placeOf(expr);
    if (place === undefined) throw new GatewiseError('internal', `recurrent: ${name} is no place`);
    if (place.kind === 'mean') return `mean[${means.findIndex((mean) => mean.place === place)}]`;
    if (place.kind !== 'product') return scope.read(place);
    const product = products.findIndex((own) => own.place === place);
    return scope.product(product, products[product].terms);
  };

function writesBody(loop: Loop, phase: Phase, writes: readonly Write[]): string {
  const { isInference, isWavefront } = loop.layout;
  const scope = scopeOf(loop);
  const { statements, results } = toWGSL(
    writes.map(({ value }) => value),
    inputText(scope, phase),
  );
  const stores = writes.flatMap(({ to }, i) => {
    const store = `${scope.at(to)} = ${results[i]};`;
    if (!isInference || to !== Place.of('after')) return [store];
    // In inference the output is separate from the states.
    const output = `${scope.at(Place.of('output'))} = ${results[i]};`;
    return isWavefront ? [store, 'if (is_last(layer)) {', `  ${output}`, '}'] : [store, output];
  });
  return indent([...scope.head(), ...statements, ...stores]);
}

function meansBody(loop: Loop, phase: Phase, index: number): string {
  const scope = scopeOf(loop);
  const loops = phase.means.flatMap(({ of: value, width }, m) => {
    const { statements, results } = toWGSL([value], inputText(scope, phase));
    const units = loop.layout.width(width);
    return [
      `for (var unit = 0u; unit < ${units}u; unit++) {`,
      ...statements.map((line) => `  ${line}`),
      `  mean[${m}] += ${results[0]};`,
      '}',
      `mean[${m}] /= ${units}.0;`,
    ];
  });
  return indent([...scope.head(), `var mean: array<f32, MEANS_${index}>;`, ...loops, 'return mean;']);
}

/** Where the quads of a phase's weights are at a step. */
function weightsText(residence: Residence, index: number): string {
  const registers = `var<private> registers_${index}: array<Packed, VECTORS_${index} * COPIES_${index} * MATRICES_${index}>;\n\n`;
  const quads = {
    streamed: 'packed_at(at)',
    workgroup: 'workgroup_weights[at]',
    registers: `registers_${index}[index]`,
  };
  return `${residence === 'registers' ? registers : ''}fn weight_at_${index}(at: u32, index: u32) -> vec4f {
  return unpacked(${quads[residence]});
}
`;
}

/** The functions of one vector: its first index, its elements, and whether products need it. */
function vectorText(
  loop: Loop,
  phase: Phase,
  { source, depth, start }: VectorReads,
  { residence, together }: LaunchText,
  suffix: string,
): string {
  // A vector is either in memory or h times the factors of variational dropout.
  const [vector, ...factors] = placesIn([source]).toSorted((a) => (a.kind === 'keep' ? 1 : -1));
  const scope = scopeOf(loop);
  const { buffer, first } = scope.locate(vector);
  const head = indent(scope.head());
  const factorTexts = factors.map((factor) => `rows[${rowText(loop.layout.addressOf(factor))} + k]`);
  const elements = [`${buffer}[base + k]`, ...factorTexts];
  return `fn weight_start_${suffix}(layer: u32) -> u32 {
  return ${residence === 'workgroup' ? '' : `layer * ${loop.quadsPerLayer}u + `}${start}u;
}

fn depth_${suffix}() -> u32 {
  return ${depth}u;
}

fn base_of_${suffix}(next: u32, layer: u32, row: u32) -> u32 {
${head}
  return ${first};
}

fn source_${suffix}(base: u32, layer: u32, row: u32, k: u32) -> f32 {
  return ${elements.join(' * ')};
}

fn vector_${suffix}(base: u32, layer: u32, row: u32, k: u32, lane: u32) -> vec4f {
${indent(together ? sharedVector(suffix, depth) : ownVector(suffix, depth))}
}

fn is_live_${suffix}(next: u32, layer: u32, row: u32) -> bool {
  return ${liveText(loop, phase, vector)};
}
`;
}

/** Whether a vector exists at a step and is not masked. */
function liveText({ layout, initial }: Loop, phase: Phase, vector: Place): string {
  const address = layout.addressOf(vector);
  const isZero = initial === 'zero' && vector.kind === 'state';
  const isNext = vector.kind === 'following';
  const conditions = [
    ...(isNext ? ['next < params.steps'] : []),
    ...(!isNext && address.layer !== -1 && (phase.finish.length > 0 || isZero)
      ? [`next > ${isZero ? 1 : 0}u`]
      : []),
    ...(address.layer === -1 ? ['layer > 0u'] : []),
    ...(address.layer === 1 ? ['!is_last(layer)'] : []),
    `is_active(${address.layer === 1 ? 'layer + 1u' : 'layer'}, ${isNext ? 'next' : 'next - 1u'}, row)`,
  ];
  return conditions.join(' && ');
}

/** Four elements of a vector; elements past the end are 0. */
function ownVector(suffix: string, depth: number): string[] {
  const element = (n: number): string => `source_${suffix}(base, layer, row, k + ${n}u)`;
  if (depth % 4 === 0) return [`return vec4f(${[0, 1, 2, 3].map(element).join(', ')});`];
  return [
    'var x = vec4f();',
    'for (var i = 0u; i < 4u; i++) {',
    `  if (k + i < ${depth}u) {`,
    `    x[i] = source_${suffix}(base, layer, row, k + i);`,
    '  }',
    '}',
    'return x;',
  ];
}

/** The same four elements, one loaded by each of four invocations. */
function sharedVector(suffix: string, depth: number): string[] {
  const own = `source_${suffix}(base, layer, row, ${depth % 4 === 0 ? 'k + lane' : `min(k + lane, ${depth - 1}u)`})`;
  return [
    `let own = ${depth % 4 === 0 ? own : `select(0.0, ${own}, k + lane < ${depth}u)`};`,
    `return vec4f(${[0, 1, 2, 3].map((n) => `quadBroadcast(own, ${n}u)`).join(', ')});`,
  ];
}
