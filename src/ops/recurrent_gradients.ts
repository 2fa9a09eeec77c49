// The gradients of a recurrent sequence's operands, from the gate gradients that the reverse loop wrote to the reserve space.
import type { WeightProduct } from '../cells/program.ts';
import { add, mul } from '../expr/arith.ts';
import type { Value } from '../graph/value.ts';
import { matmul } from './matmul.ts';
import {
  loopOperands,
  RecurrentLayout,
  stridesOf,
  type Matrix,
  type RecurrentAttrs,
  type RecurrentOperands,
} from './recurrent_schedule.ts';
import { concat, reshape, slice, sum, transpose, zeros } from './structure.ts';

/** What the operand gradients are computed from. */
interface Parts {
  /** (P, T, B, row): the gradients, in the slots that the cell program assigns to them. */
  readonly dReserve: Value;
  /** All states, before and after each step. */
  readonly states: Value;
  readonly attrs: RecurrentAttrs;
  readonly layout: RecurrentLayout;
  readonly operands: RecurrentOperands<Value>;
  readonly steps: number;
  readonly batch: number;
}

/** The gradients under the names of the forward op's operands; undefined where no gradient flows. */
export function recurrentGradients(
  attrs: RecurrentAttrs,
  operands: RecurrentOperands<Value>,
  { dReserve, states, dInitial }: { readonly [Name in 'dReserve' | 'states' | 'dInitial']: Value },
): RecurrentOperands<Value | undefined> {
  const layout = new RecurrentLayout(attrs);
  const [, steps, batch] = dReserve.shape;
  const parts: Parts = { dReserve, states, attrs, layout, operands, steps, batch };
  const each = Array.from({ length: layout.pseudoLayers }, (_, p) => p);
  return loopOperands<Value | undefined>({
    reserve: [inputGradient(parts)],
    initial: operands.initial.map(() => dInitial),
    weights: each.flatMap((p) =>
      layout.matrices.slice(0, layout.matricesOf(p)).map((matrix) => matrixGradient(parts, p, matrix)),
    ),
    packed: operands.packed.map(() => undefined),
    scales: operands.scales.map(() => undefined),
    vectors: operands.vectors.map(() => concat(each.flatMap((p) => vectorGradients(parts, p)))),
    rows: operands.rows.map(() => (attrs.cell.dropsRecurrent ? rowsGradient(parts, each) : undefined)),
    seed: operands.seed.map(() => undefined),
  });
}

/** The gradient of the reserve: that of the input products, in the gates' slots. Nothing reads the other slots. */
function inputGradient({ layout, dReserve }: Parts): Value {
  const { program, slotOffset, row } = layout;
  if (program.inputGradients.every((slot, gate) => slot === gate)) return dReserve;
  const pieces = program.inputGradients.map((slot) =>
    slice(dReserve, 3, slotOffset[slot], slotOffset[slot + 1] ?? row),
  );
  const used = slotOffset[pieces.length] ?? row;
  const rest = used < row ? [slice(dReserve, 3, used, row)] : [];
  return concat([...pieces, ...rest], 3);
}

/** `size` elements from a slot on, of each row of one pseudo-layer: (T·B, size). */
function slots({ layout, dReserve, steps, batch }: Parts, p: number, first: number, size: number): Value {
  const offset = layout.slotOffset[first];
  const own = slice(slice(dReserve, 0, p, p + 1), 3, offset, offset + size);
  return reshape(own, [steps * batch, size]);
}

/** State `s` of one pseudo-layer before or after each step: (T·B, W), in time order. */
function statesOf({ layout, states, steps, batch }: Parts, p: number, s: number, after = 0): Value {
  const strides = stridesOf(layout.addressOf({ kind: 'state', index: s }), {
    steps,
    batch,
    times: steps + 1,
  });
  // The second direction runs backwards: its state before a step is stored at the later time.
  const time = layout.isReverse(p) ? 1 - after : after;
  const start = strides.base + p * strides.layer + time * strides.time;
  const width = layout.stateWidth(s);
  return reshape(slice(states, 0, start, start + steps * batch * width), [steps * batch, width]);
}

/** The vectors that a product multiplies by its matrix: (T·B, depth). */
function sourceOf(parts: Parts, p: number, { source, dropped, matrix }: WeightProduct): Value {
  const { attrs, layout, operands, steps, batch } = parts;
  if (source.kind === 'slot') {
    const depth = matrix === 'hr' ? attrs.hidden : layout.stateWidth(0);
    return slots(parts, p, source.index, depth);
  }
  if (source.kind === 'below') return statesOf(parts, p - 1, 0, 1);
  const h = statesOf(parts, p, source.index);
  const [rows] = operands.rows;
  if (!dropped) return h;
  const width = layout.stateWidth(0);
  const factors = slice(rows, 0, p * batch * width, (p + 1) * batch * width);
  const product = mul(reshape(h, [steps, batch, width]), reshape(factors, [batch, width]));
  return reshape(product, [steps * batch, width]);
}

const sumOf = (values: readonly Value[]): Value => values.reduce((a, b) => add(a, b));

/** The gradient of a matrix, part by part; adjacent parts with one source share one matmul. */
function matrixGradient(parts: Parts, p: number, { name, shape: [rows, columns] }: Matrix): Value {
  const { attrs, layout } = parts;
  const height = name === 'hr' ? rows : attrs.hidden;
  const runs: WeightProduct[][][] = [];
  for (let part = 0; part < rows / height; part++) {
    const own = layout.program.products.filter((product) => product.matrix === name && product.part === part);
    const run = runs.at(-1);
    if (run !== undefined && isNext(run[run.length - 1], own)) run.push(own);
    else runs.push([own]);
  }
  const pieces = runs.map((run) => {
    const [first] = run;
    if (first.length === 0) return zeros([height, columns]);
    const size = run.length * height;
    return sumOf(
      first.map((product) =>
        matmul(transpose(slots(parts, p, product.gradient, size)), sourceOf(parts, p, product)),
      ),
    );
  });
  return concat(pieces);
}

/** Whether two adjacent parts have one product each, with the same source and with adjacent slots for their gradients. */
function isNext(before: readonly WeightProduct[], own: readonly WeightProduct[]): boolean {
  if (before.length !== 1 || own.length !== 1) return false;
  const [[one], [other]] = [before, own];
  return other.gradient === one.gradient + 1 && other.source === one.source && other.dropped === one.dropped;
}

/** The gradients of bias_hh and the per-unit weights: sums over all rows and steps. */
function vectorGradients(parts: Parts, p: number): Value[] {
  const { attrs, layout } = parts;
  const { products, weightGradients } = layout.program;
  const biases = attrs.bias
    ? attrs.cell.recurrentGates.map(
        (_, part) => products.find((own) => own.matrix === 'hh' && own.part === part)?.gradient,
      )
    : [];
  // Adjacent slots share one sum.
  const runs: { readonly slot: number | undefined; size: number }[] = [];
  for (const slot of [...biases, ...weightGradients]) {
    const last = runs.at(-1);
    if (last?.slot !== undefined && slot === last.slot + last.size) last.size++;
    else runs.push({ slot, size: 1 });
  }
  return runs.map(({ slot, size }) =>
    slot === undefined ? zeros([size * attrs.hidden]) : sum(slots(parts, p, slot, size * attrs.hidden), 0),
  );
}

/** The gradient of the variational dropout factors, and zeros for the mask. */
function rowsGradient(parts: Parts, each: readonly number[]): Value {
  const { layout, steps, batch } = parts;
  const mask = layout.rowsSize(steps, batch) - layout.factorsPerRow * batch;
  return concat([...each.map((p) => factorsGradient(parts, p)), ...(mask > 0 ? [zeros([mask])] : [])]);
}

/** The gradient of the factors: h times the gradient of h ∘ factors, summed over the products that read it and the steps. */
function factorsGradient(parts: Parts, p: number): Value {
  const { attrs, layout, operands, steps, batch } = parts;
  const { hidden } = attrs;
  const width = layout.stateWidth(0);
  const weight = operands.weights[layout.matrixAt(p, 0)];
  const through = layout.program.products.flatMap(({ dropped, part, gradient }) =>
    dropped
      ? [matmul(slots(parts, p, gradient, hidden), slice(weight, 0, part * hidden, (part + 1) * hidden))]
      : [],
  );
  if (through.length === 0) return zeros([batch * width]);
  const shape = [steps, batch, width];
  const total = mul(reshape(sumOf(through), shape), reshape(statesOf(parts, p, 0), shape));
  return reshape(sum(total, 0), [-1]);
}
