// What the kernels and the CPU run of a cell: a step forward and a step backward, each as phases over named places.
//
// Places, all of one row and unit: `slotN` of the step's row of the stash, which starts with the gates' input parts;
// `followingN`, that slot of the step processed after; `stateS` before the step and `afterS` after it; `carryS`, the gradient
// of a state that goes from step to step; `output0`, that of the output; `biasP`, `weightW`, `keep0`; `noiseN`, drawn anew;
// `active0`, 1 where the step counts. Of layers stacked on each other: `below0`, h of the layer below after the same step, and
// `aboveN`, a slot of the layer above at it.
import { Expr, cotangents, derivative, inputsOf, rewrite, topological } from '../expr/expr.ts';
import type { Fail } from './check.ts';
import type { CellParts, Source } from './declaration.ts';
import {
  cutIntoPhases,
  isDirect,
  readsOf,
  renamePhases,
  type Phase,
  type Root,
  type Rules,
  type Width,
} from './phases.ts';
import { parsePlace, widths } from './places.ts';

/** The matrices that a step multiplies by: `ih` is of stacked layers, whose input is there as soon as the layer below has made it. */
export type MatrixName = 'hh' | 'hr' | 'ih';

/** What a cell's program is made for. */
export interface ProgramOptions {
  /** Whether there is a `bias_hh`. */
  readonly bias: boolean;
  /** Whether steps may be masked. */
  readonly masked: boolean;
  /** Whether layers share each launch, so that a step works out its input part itself from h of the layer below. */
  readonly stacked?: boolean;
}

/** A product of the cell, for the gradient of its weights. */
export interface WeightProduct {
  readonly matrix: MatrixName;
  /** Which gate's part of `weight_hh` or `weight_ih`. */
  readonly part: number;
  /** What it was multiplied with: a state before the step, a slot, or h of the layer below. */
  readonly source:
    | { readonly state: number; readonly kept: boolean }
    | { readonly slot: number }
    | { readonly below: true };
  /** The slot that holds the gradient of its result after the backward loop. */
  readonly gradient: number;
}

export interface CellProgram {
  readonly stateWidths: readonly Width[];
  /** What a row of the stash holds, slot by slot. */
  readonly slots: readonly Width[];
  /** Whether the backward pass reads slots that the forward one filled; else nothing of the stash need be kept for it. */
  readonly keepsSlots: boolean;
  /** Slots that the forward step fills; behind them lies what only the backward step needs. */
  readonly forwardSlots: number;
  readonly forward: readonly Phase[];
  /** The forward step where no backward one follows. */
  readonly lean: readonly Phase[];
  readonly backward: readonly Phase[];
  readonly products: readonly WeightProduct[];
  /** The slots of the gradients of the gates' input parts, and of the weights of one number per unit. */
  readonly inputGradients: readonly number[];
  readonly weightGradients: readonly number[];
  /** Random numbers drawn at each step, row and unit. */
  readonly draws: number;
}

const zero = Expr.constant(0);
const sizes: Readonly<Record<Width, string>> = { hidden: 'hidden', projection: 'projected' };

export function makeProgram(
  cell: CellParts,
  { bias, masked, stacked = false }: ProgramOptions,
  fail: Fail,
): CellProgram {
  const { gates, states, projects } = cell;
  const active = masked ? Expr.input('active0') : undefined;
  const stateWidths = states.map((_, s): Width => (projects && s === 0 ? 'projection' : 'hidden'));
  const slots: Width[] = gates.map(() => 'hidden');

  // -- the update, as expressions
  const products: { matrix: MatrixName; part: number; node: Expr; source: Expr }[] = [];
  const below = Expr.input('below0');
  const recurrentParts = new Map<number, Expr>();
  let draws = 0;
  // Stacked, a gate's input part is what the slot has, a bias, and the product with what comes from below. Where the two parts of
  // a gate are summed, both products are one.
  const joins = (gate: number): boolean => stacked && ['sum', 'late'].includes(gates[gate].kind);
  const inputProduct = (gate: number): Expr | undefined =>
    stacked && !joins(gate) ? Expr.across([`ih.${gate}`], [below]) : undefined;
  const inputPart = (gate: number): Expr => {
    const [slot, product] = [Expr.input(`slot${gate}`), inputProduct(gate)];
    return product === undefined ? slot : Expr.operation('add', [slot, product]);
  };
  const source: Source<Expr> = {
    input: (gate) => {
      const node = inputProduct(gate);
      if (node !== undefined) products.push({ matrix: 'ih', part: gate, node, source: below });
      return inputPart(gate);
    },
    product: (part, x) => {
      const gate = cell.recurrentGates[part];
      const node = joins(gate)
        ? Expr.across([`hh.${part}`, `ih.${gate}`], [x, below])
        : Expr.across([`hh.${part}`], [x]);
      products.push({ matrix: 'hh', part, node, source: x });
      if (joins(gate)) products.push({ matrix: 'ih', part: gate, node, source: below });
      const value = bias ? Expr.operation('add', [node, Expr.input(`bias${part}`)]) : node;
      recurrentParts.set(part, value);
      return value;
    },
    state: (s) => Expr.input(`state${s}`),
    weight: (w) => Expr.input(`weight${w}`),
    keep: () => Expr.input('keep0'),
    mean: (x) => Expr.across(['mean'], [x]),
    project: (x) => {
      const node = Expr.across(['hr.0'], [x]);
      products.push({ matrix: 'hr', part: 0, node, source: x });
      return node;
    },
    random: () => Expr.input(`noise${draws++}`),
  };
  const after = cell.apply(source);
  const live = new Set(topological(after));
  for (const { kind } of live) {
    if ('constant' in kind && !Number.isFinite(Math.fround(kind.constant)))
      fail(
        `update computes with ${kind.constant}; expected numbers that are finite in float32, and words for arithmetic: JavaScript's operators do not work on gates and states, so write sub(1, a) for 1 - a`,
      );
  }
  const used = products.filter(
    ({ node, matrix }, i) =>
      live.has(node) && products.findIndex((p) => p.node === node && p.matrix === matrix) === i,
  );
  const keptGates = gates.map(({ kind }, g) => {
    const input = inputPart(g);
    if (kind === 'input') return input;
    const recurrent = recurrentParts.get(cell.recurrentGates.indexOf(g));
    if (recurrent === undefined) return input;
    return kind === 'apart' ? recurrent : Expr.operation('add', [input, recurrent]);
  });
  gates.forEach(({ name }, g) => {
    if (!live.has(keptGates[g]) && !live.has(inputPart(g)))
      fail(`update never reads the gate ${JSON.stringify(name)}; use it or leave it out of gates`);
  });
  cell.weights.forEach(({ name }, w) => {
    if (!live.has(Expr.input(`weight${w}`)))
      fail(`update never reads the weight ${JSON.stringify(name)}; use it or leave it out of weights`);
  });
  const resultWidths = used.map(({ matrix }): Width => (matrix === 'hr' ? 'projection' : 'hidden'));
  const widthOf = widths(fail, slots, stateWidths, resultWidths);
  if (projects && !used.some(({ matrix }) => matrix === 'hr'))
    fail('update never projects; call project(x) or leave out projects');
  after.forEach((value, s) => {
    const width = widthOf(value) ?? stateWidths[s];
    if (width !== stateWidths[s])
      fail(
        `update returns the state ${JSON.stringify(states[s])} with the ${sizes[width]} size; expected the ${sizes[stateWidths[s]]} size`,
      );
  });
  for (const { matrix, source: x } of used) {
    const expected = matrix === 'hr' ? 'hidden' : stateWidths[0];
    if ((widthOf(x) ?? expected) !== expected)
      fail(
        `update gives weight_${matrix} a vector of the ${sizes[widthOf(x) ?? expected]} size; expected the ${sizes[expected]} size`,
      );
  }

  // -- what the forward step keeps, and where
  const allocate = (expr: Expr): string => `slot${slots.push(widthOf(expr) ?? 'hidden') - 1}`;
  const places = new Map<Expr, string>();
  keptGates.forEach((node, g) => {
    if (gates[g].kind === 'apart' && 'across' in recurrentNode(node).kind) places.set(node, allocate(node));
    else if (!('input' in node.kind)) places.set(node, `slot${g}`);
    const input = inputPart(g);
    if (gates[g].kind === 'apart' && !('input' in input.kind)) places.set(input, `slot${g}`);
  });
  after.forEach((value, s) => {
    if (!('input' in value.kind) && !('constant' in value.kind) && !places.has(value))
      places.set(value, `after${s}`);
  });
  // What a product was taken with is read again, for the gradient of its weights, from a slot.
  for (const { source: x } of used)
    if (!isDirect(x) && places.get(x)?.startsWith('slot') !== true) places.set(x, allocate(x));
  for (const { matrix, node } of used)
    if (matrix === 'hr' && !places.has(node)) places.set(node, allocate(node));
  const forwardSlots = slots.length;

  // -- the derivative
  const isDeferred = new Set<Expr>();
  for (const { node, source: x } of used)
    if (isDirect(x) && statesIn(x).some((s) => isLinear(x, s))) isDeferred.add(node);
  const carries = states.map((_, s) => Expr.input(`carry${s}`));
  // What the layer above passes down, which is the product of its gates' gradients at the same step.
  const passed = used.flatMap(({ matrix, part }, v) =>
    matrix === 'ih' ? [{ map: `ih.${part}'`, operand: Expr.input(`upper${v}`) }] : [],
  );
  const productOf = (terms: readonly { readonly map: string; readonly operand: Expr }[]): Expr =>
    Expr.across(
      terms.map(({ map }) => map),
      terms.map(({ operand }) => operand),
    );
  const incoming = states.map((_, s) => {
    let total = carries[s];
    if (s === 0) total = Expr.operation('add', [total, Expr.input('output0')]);
    let fromAbove = s === 0 ? passed : [];
    for (const x of new Set(used.filter(({ node }) => isDeferred.has(node)).map((p) => p.source))) {
      if (!statesIn(x).includes(s)) continue;
      const terms = used.flatMap(({ matrix, part, ...p }, v) =>
        p.source === x && isDeferred.has(p.node)
          ? [{ map: `${matrix}.${part}'`, operand: Expr.input(`pending${v}`) }]
          : [],
      );
      // Both are gradients of h as it is: one sum.
      const isPlain = x === Expr.input('state0');
      const arriving = productOf(isPlain ? [...terms, ...fromAbove] : terms);
      if (isPlain) fromAbove = [];
      total = Expr.operation('add', [total, ...derivative([x], [arriving], [`state${s}`])]);
    }
    return fromAbove.length === 0 ? total : Expr.operation('add', [total, productOf(fromAbove)]);
  });
  const cotangent = cotangents(after, incoming, isDeferred);
  const atPlaces = (exprs: readonly Expr[]): Expr[] =>
    rewrite(exprs, (expr) => (places.has(expr) ? Expr.input(places.get(expr) ?? '') : undefined));
  const inputs = gates.map((_, g) => Expr.input(`slot${g}`));
  const weights = cell.weights.map((_, w) => Expr.input(`weight${w}`));
  const wanted = [...used.map(({ node }) => node), ...inputs, ...weights];
  const gradients = atPlaces(wanted.map(cotangent));
  const outgoing = atPlaces(states.map((_, s) => cotangent(Expr.input(`state${s}`))));
  const distinct = [...new Set(gradients)];
  const gradientName = (i: number): string => `gradient${distinct.indexOf(gradients[i])}`;
  const arriving = atPlaces(incoming);
  // Names of slots that are not chosen yet: gradients of the step processed after, and of the layer above.
  const elsewhere: Readonly<Record<string, string>> = { pending: 'following', upper: 'above' };
  const isWaiting = (expr: Expr): boolean => !('input' in expr.kind);
  const backwardRoots: Root[] = [
    ...distinct.map((value, i): Root => ({ to: `gradient${i}`, value, masked: zero })),
    ...states.map((_, s): Root => ({ to: `carry${s}`, value: outgoing[s], masked: arriving[s], last: true })),
    ...arriving.flatMap((value, s): Root[] => {
      const isOfStep = (expr: Expr): boolean => expr === Expr.input('output0') || expr === productOf(passed);
      const [rest] = rewrite([value], (expr) => (isOfStep(expr) ? zero : undefined));
      return rest === carries[s] ? [] : [{ to: `carry${s}`, value: rest, finish: true }];
    }),
  ];
  const keep = new Set([
    ...arriving.filter(isWaiting),
    ...topological(backwardRoots.map(({ value }) => value)).filter(
      ({ kind }) => 'across' in kind && kind.across[0] !== 'mean',
    ),
  ]);
  const widthOfGradient = (name: string): Width | undefined =>
    name.startsWith('gradient') ? widthOf(distinct[parsePlace(name)[1]]) : undefined;
  const backwardWidthOf = (expr: Expr): Width | undefined =>
    'input' in expr.kind ? (widthOfGradient(expr.kind.input) ?? widthOf(expr)) : widthOf(expr);
  const backward = cutIntoPhases(backwardRoots, {
    keep,
    always: new Set(arriving),
    widthOf: backwardWidthOf,
    allocate,
    active,
  });

  // -- gradients take the place of what nobody reads any more
  const reads = readsOf(backward);
  const sources = new Set(used.map(({ source: x }) => (isDirect(x) ? String(x) : places.get(x))));
  const chosen = new Map<string, string>();
  const free = (slot: string, gradient: string): boolean => {
    const written = backward.findIndex(({ writes }) => writes.some(({ to }) => to === gradient));
    return (
      !sources.has(slot) &&
      ![...chosen.values()].includes(slot) &&
      reads.every(({ name, phase, across }) => name !== slot || (across ? phase < written : phase <= written))
    );
  };
  wanted.forEach((node, i) => {
    const gradient = gradientName(i);
    if (chosen.has(gradient)) return;
    const kept = keptGates.indexOf(keptGates.find((gate) => recurrentNode(gate) === node) ?? zero);
    const own = used[i]?.matrix === 'ih' && !joins(used[i].part) ? [`slot${used[i].part}`] : [];
    const candidates = [
      ...own,
      ...('input' in node.kind && node.kind.input.startsWith('slot') ? [node.kind.input] : []),
      ...(kept >= 0 ? [places.get(keptGates[kept]) ?? ''] : []),
    ].filter((slot) => slot.startsWith('slot'));
    const slot =
      candidates.find((candidate) => free(candidate, gradient)) ??
      allocate(distinct[Number(gradient.slice(8))]);
    chosen.set(gradient, slot);
  });
  const settle = (name: string): string => {
    const [kind, index] = parsePlace(name);
    const where = elsewhere[kind];
    return where === undefined
      ? (chosen.get(name) ?? name)
      : `${where}${parsePlace(chosen.get(gradientName(index)) ?? '')[1]}`;
  };
  const settled = renamePhases(backward, settle);
  const slotOf = (i: number): number => parsePlace(settle(gradientName(i)))[1];

  // -- the forward step: states, and whatever the backward step or the weights' gradients read
  const needed = new Set([...readsOf(settled).map(({ name }) => name), ...sources]);
  const stateRoots = after.map((value, s): Root => ({
    to: `after${s}`,
    value,
    masked: Expr.input(`state${s}`),
  }));
  const forwardRoots: Root[] = [
    ...stateRoots,
    ...[...places].flatMap(([value, to]): Root[] =>
      to.startsWith('slot') && needed.has(to) ? [{ to, value, masked: zero }] : [],
    ),
  ];
  // Both ways forward keep what they must between phases in the same slots.
  const kept = new Map(places);
  const forwardRules: Rules = {
    keep: new Set(places.keys()),
    always: new Set(),
    widthOf,
    allocate: (expr) => {
      const place = kept.get(expr) ?? allocate(expr);
      kept.set(expr, place);
      return place;
    },
    active,
  };
  const sourceOf = (x: Expr): WeightProduct['source'] => {
    if (x === below) return { below: true };
    if (statesIn(x).length > 0 && isDirect(x)) return { state: statesIn(x)[0], kept: 'op' in x.kind };
    return { slot: parsePlace(places.get(x) ?? String(x))[1] };
  };
  const forward = cutIntoPhases(forwardRoots, forwardRules);
  const lean = cutIntoPhases(stateRoots, forwardRules);
  return {
    stateWidths,
    slots,
    keepsSlots: [...needed].some((name) => name !== undefined && name.startsWith('slot')),
    forwardSlots,
    forward,
    lean,
    backward: settled,
    products: used.map(({ matrix, part, source: x }, i) => ({
      matrix,
      part,
      source: sourceOf(x),
      gradient: slotOf(i),
    })),
    inputGradients: inputs.map((_, g) => slotOf(used.length + g)),
    weightGradients: weights.map((_, w) => slotOf(used.length + inputs.length + w)),
    draws,
  };
}

/** The product within a gate's recurrent part or sum. */
function recurrentNode(gate: Expr): Expr {
  const product = topological([gate]).findLast(({ kind }) => 'across' in kind && kind.across[0] !== 'mean');
  return product ?? gate;
}

function statesIn(expr: Expr): number[] {
  return inputsOf([expr]).flatMap((name) => (name.startsWith('state') ? [parsePlace(name)[1]] : []));
}

/** Whether the derivative with respect to a state does not read states. */
function isLinear(expr: Expr, state: number): boolean {
  return statesIn(derivative([expr], [Expr.input('q0')], [`state${state}`])[0]).length === 0;
}
