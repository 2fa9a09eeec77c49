// What the kernels and the CPU run of a cell: a step forward and a step backward, each as phases over named places.
//
// Places, all of one row and unit: `slotN` of the step's row of the stash, which starts with the gates' input parts;
// `followingN`, that slot of the step processed after; `stateS` before the step and `afterS` after it; `carryS`, the gradient
// of a state that goes from step to step; `output0`, that of the output; `biasP`, `weightW`, `keep0`; `noiseN`, drawn anew;
// `active0`, 1 where the step counts.
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

/** A product of the cell, for the gradient of its weights. */
export interface WeightProduct {
  readonly matrix: 'hh' | 'hr';
  /** Which gate's part of `weight_hh`. */
  readonly part: number;
  /** What it was multiplied with: a state before the step, or a slot. */
  readonly source: { readonly state: number; readonly kept: boolean } | { readonly slot: number };
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

/** `slot12` as `slot` and 12. */
export function parsePlace(name: string): [kind: string, index: number] {
  const [, kind, index] = /^([a-z]+)(\d+)$/.exec(name) ?? [];
  return [kind, Number(index)];
}

const zero = Expr.constant(0);
const sizes: Readonly<Record<Width, string>> = { hidden: 'hidden', projection: 'projected' };

export function makeProgram(cell: CellParts, bias: boolean, masked: boolean, fail: Fail): CellProgram {
  const { gates, states, projects } = cell;
  const active = masked ? Expr.input('active0') : undefined;
  const stateWidths = states.map((_, s): Width => (projects && s === 0 ? 'projection' : 'hidden'));
  const slots: Width[] = gates.map(() => 'hidden');

  // -- the update, as expressions
  const products: { matrix: 'hh' | 'hr'; part: number; node: Expr; source: Expr }[] = [];
  const recurrentParts = new Map<number, Expr>();
  let draws = 0;
  const source: Source<Expr> = {
    input: (gate) => Expr.input(`slot${gate}`),
    product: (part, x) => {
      const node = Expr.across([`hh.${part}`], [x]);
      products.push({ matrix: 'hh', part, node, source: x });
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
    ({ node }, i) => live.has(node) && products.findIndex((p) => p.node === node) === i,
  );
  const keptGates = gates.map(({ kind }, g) => {
    const input = Expr.input(`slot${g}`);
    if (kind === 'input') return input;
    const recurrent = recurrentParts.get(cell.recurrentGates.indexOf(g));
    if (recurrent === undefined) return input;
    return kind === 'apart' ? recurrent : Expr.operation('add', [input, recurrent]);
  });
  gates.forEach(({ name }, g) => {
    if (!live.has(keptGates[g]) && !live.has(Expr.input(`slot${g}`)))
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
  const incoming = states.map((_, s) => {
    let total = carries[s];
    if (s === 0) total = Expr.operation('add', [total, Expr.input('output0')]);
    for (const x of new Set(used.filter(({ node }) => isDeferred.has(node)).map((p) => p.source))) {
      if (!statesIn(x).includes(s)) continue;
      const terms = used.flatMap((p, v) => (p.source === x && isDeferred.has(p.node) ? [{ ...p, v }] : []));
      const arriving = Expr.across(
        terms.map(({ matrix, part }) => `${matrix}.${part}'`),
        terms.map(({ v }) => Expr.input(`pending${v}`)),
      );
      total = Expr.operation('add', [total, ...derivative([x], [arriving], [`state${s}`])]);
    }
    return total;
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
  // Names of slots that are not chosen yet; pending ones are gradients of the step processed after.
  const nameOfPending = (name: string): string =>
    name.startsWith('pending')
      ? `followinggradient${distinct.indexOf(gradients[parsePlace(name)[1]])}`
      : name;
  const isWaiting = (expr: Expr): boolean => !('input' in expr.kind);
  const backwardRoots: Root[] = [
    ...distinct.map((value, i): Root => ({ to: `gradient${i}`, value, masked: zero })),
    ...states.map((_, s): Root => ({ to: `carry${s}`, value: outgoing[s], masked: arriving[s], last: true })),
    ...arriving.flatMap((value, s): Root[] => {
      const [rest] = rewrite([value], (expr) => (expr === Expr.input('output0') ? zero : undefined));
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
    const candidates = [
      ...('input' in node.kind && node.kind.input.startsWith('slot') ? [node.kind.input] : []),
      ...(kept >= 0 ? [places.get(keptGates[kept]) ?? ''] : []),
    ].filter((slot) => slot.startsWith('slot'));
    const slot =
      candidates.find((candidate) => free(candidate, gradient)) ??
      allocate(distinct[Number(gradient.slice(8))]);
    chosen.set(gradient, slot);
  });
  const settle = (name: string): string => {
    const pending = nameOfPending(name);
    if (!pending.startsWith('following')) return chosen.get(pending) ?? pending;
    return `following${parsePlace(chosen.get(pending.slice('following'.length)) ?? '')[1]}`;
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
      source:
        statesIn(x).length > 0 && isDirect(x)
          ? { state: statesIn(x)[0], kept: 'op' in x.kind }
          : { slot: parsePlace(places.get(x) ?? String(x))[1] },
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

/** How many units an expression has; undefined for what is the same at all. */
function widths(
  fail: Fail,
  slots: readonly Width[],
  stateWidths: readonly Width[],
  resultWidths: readonly Width[],
): (expr: Expr) => Width | undefined {
  const known = new Map<Expr, Width | undefined>();
  const ofInput = (name: string): Width | undefined => {
    const [kind, index] = parsePlace(name);
    if (kind === 'slot' || kind === 'following') return slots[index];
    if (kind === 'state' || kind === 'after' || kind === 'carry') return stateWidths[index];
    if (kind === 'output' || kind === 'keep') return stateWidths[0];
    if (kind === 'pending') return resultWidths[index];
    return kind === 'bias' || kind === 'weight' ? 'hidden' : undefined;
  };
  const visit = (expr: Expr): Width | undefined => {
    if (known.has(expr)) return known.get(expr);
    let width: Width | undefined;
    if ('input' in expr.kind) width = ofInput(expr.kind.input);
    else if ('across' in expr.kind) {
      const [map] = expr.kind.across;
      if (map.startsWith('hh')) width = map.endsWith("'") ? stateWidths[0] : 'hidden';
      else if (map.startsWith('hr')) width = map.endsWith("'") ? 'hidden' : 'projection';
      else width = visit(expr.args[0]);
    } else {
      const all = new Set(expr.args.flatMap((arg) => visit(arg) ?? []));
      if (all.size > 1)
        fail(
          'update combines a value of the hidden size with one of the projected size; project the former first',
        );
      [width] = all;
    }
    known.set(expr, width);
    return width;
  };
  return visit;
}
