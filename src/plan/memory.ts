// Assigns storages to buffers: a result takes over an input's storage after its last use, and storages with disjoint lifetimes
// share a buffer (colouring of an interval graph, greedy by first use).
import { sizeOf, type DType } from '../core/shape.ts';
import { denseView, sameView } from '../core/view.ts';
import { Expr } from '../expr/expr.ts';
import { inputName } from '../expr/operands.ts';
import type { InPlace, Op } from '../graph/value.ts';
import { elementwiseOp, type ElementwiseAttrs } from '../ops/elementwise.ts';
import type { Memoised } from './memoise.ts';
import type { LoweredStep } from './lower.ts';
import type { Placement, Storage } from './placement.ts';

export interface BufferSpec {
  readonly kind: 'argument' | 'output' | 'temporary';
  /** Index of the argument or output. */
  readonly index?: number;
  readonly dtype: DType;
  /** Elements of 4 bytes. */
  readonly size: number;
  readonly label: string;
}

/** Merged storages, as a union-find structure. */
class Merged {
  readonly #into = new Map<Storage, Storage>();

  root(storage: Storage): Storage {
    const into = this.#into.get(storage);
    return into === undefined ? storage : this.root(into);
  }

  merge(storage: Storage, into: Storage): void {
    this.#into.set(storage, this.root(into));
  }
}

const isWhole = ({ storage, view }: Placement): boolean =>
  sizeOf(view.shape) === storage.size && sameView(view, denseView(view.shape));

/** Steps whose in-place pairs share a storage; a copy precedes each `must` pair that could not be merged directly. */
export function shareInPlace(lowered: Memoised): {
  steps: LoweredStep[];
  outputs: Placement[];
  root: (storage: Storage) => Storage;
} {
  const merged = new Merged();
  const lastRead = new Map<Storage, number>();
  lowered.steps.forEach((step, i) => step.inputs.forEach(({ storage }) => lastRead.set(storage, i)));
  for (const { storage } of lowered.outputs) lastRead.set(storage, Infinity);
  const donated = new Map(lowered.donations.map(({ argument, output }) => [output.storage, argument]));
  const shared = new Set<Storage>();
  const steps: LoweredStep[] = [];

  lowered.steps.forEach((step, i) => {
    const inputs = [...step.inputs];
    const taken = new Set<number>();
    /** Whether `output` may overwrite `input`: no other step needs the input's old values. */
    const canShare = ({ input, must }: InPlace, output: Placement): boolean => {
      const place = inputs[input];
      const free = place.storage.outside === undefined || donated.get(output.storage) === place.storage;
      const otherReads = inputs.filter(
        (other, j) => j !== input && merged.root(other.storage) === merged.root(place.storage),
      );
      return (
        free &&
        // External memory has a fixed address, so a copy into it cannot be redirected.
        output.storage.outside === undefined &&
        merged.root(place.storage).pinned !== true &&
        !lowered.ownStorages.has(place.storage) &&
        !lowered.ownStorages.has(output.storage) &&
        !taken.has(input) &&
        (lastRead.get(merged.root(place.storage)) ?? 0) <= i &&
        isWhole(place) &&
        isWhole(output) &&
        sizeOf(place.view.shape) === sizeOf(output.view.shape) &&
        place.dtype === output.dtype &&
        // An expression reads each element before it writes it; a loop over time revisits elements that it has overwritten.
        otherReads.every((other) => !must && sameView(other.view, place.view))
      );
    };
    const share = (input: number, output: Placement): void => {
      taken.add(input);
      shared.add(output.storage);
      const root = merged.root(inputs[input].storage);
      merged.merge(output.storage, root);
      lastRead.set(root, Math.max(lastRead.get(root) ?? 0, lastRead.get(output.storage) ?? 0));
    };
    const pairs = (step.op.inPlace?.(step.attrs, step.inputs.length) ?? []).filter(
      ({ input, output }) => input < inputs.length && output < step.outputs.length,
    );
    // Donated arguments come first.
    const ordered = [...pairs].sort((a, b) => Number(isGiven(b)) - Number(isGiven(a)));
    function isGiven({ input, output }: { input: number; output: number }): boolean {
      return donated.get(step.outputs[output].storage) === inputs[input].storage;
    }
    for (const pair of ordered) {
      const output = step.outputs[pair.output];
      if (shared.has(output.storage)) continue;
      if (!pair.must && donated.has(output.storage) && !isGiven(pair)) continue;
      if (canShare(pair, output)) share(pair.input, output);
      else if (pair.must) {
        const from = inputs[pair.input];
        const view = denseView(from.view.shape);
        const copy: Placement = {
          storage: { label: 'copy', size: sizeOf(view.shape), dtype: from.dtype },
          view,
          dtype: from.dtype,
        };
        steps.push(copyStep(from, copy));
        inputs[pair.input] = copy;
        share(pair.input, output);
      }
    }
    steps.push({ ...step, inputs });
  });

  const moved = new Map<Placement, Placement>();
  for (const { argument, output } of lowered.donations) {
    const own = merged.root(output.storage);
    if (own === argument) continue;
    const firstWrite = steps.findIndex((step) =>
      step.outputs.some(({ storage }) => merged.root(storage) === own),
    );
    const lastUse = steps.findLastIndex((step) =>
      step.inputs.some(({ storage }) => merged.root(storage) === argument),
    );
    // If nothing needs the argument's old values, the result is computed in its memory; otherwise a final copy puts it there.
    if (firstWrite > lastUse) merged.merge(own, argument);
    else {
      const target: Placement = { ...output, storage: argument };
      steps.push(copyStep(output, target));
      moved.set(output, target);
    }
  }
  const outputs = lowered.outputs.map((output) => moved.get(output) ?? output);
  return { steps, outputs, root: (storage) => merged.root(storage) };
}

function copyStep(from: Placement, to: Placement): LoweredStep {
  const attrs: ElementwiseAttrs = { exprs: [Expr.input(inputName(0))], shape: to.view.shape, label: 'copy' };
  return { op: elementwiseOp as Op, attrs, label: 'copy', inputs: [from], outputs: [to], scratch: [] };
}

/**
 * The buffers, and the buffer of each storage, which begins at its first element.
 * @param ownStorages Results of memoised and prefetchable steps; each has a buffer of its own.
 */
export function colour(
  steps: readonly LoweredStep[],
  outputs: readonly Placement[],
  root: (storage: Storage) => Storage,
  ownStorages: ReadonlySet<Storage>,
): { buffers: BufferSpec[]; bufferOf: (storage: Storage) => number } {
  /** Not shared with other storages: its contents outlive the run. */
  const isApart = (storage: Storage): boolean => storage.pinned === true || ownStorages.has(storage);
  const buffers: (Omit<BufferSpec, 'size'> & { size: number })[] = [];
  const chosen = new Map<Storage, number>();
  const add = (storage: Storage, kind: Pick<BufferSpec, 'kind' | 'index'>): void => {
    const { size, dtype, label } = storage;
    chosen.set(storage, buffers.push({ ...kind, size, dtype, label }) - 1);
  };
  const touched = steps.map(({ inputs, outputs: made, scratch }) =>
    [...inputs, ...made, ...scratch].map(({ storage }) => root(storage)),
  );
  for (const storage of new Set([...touched.flat(), ...outputs.map((place) => root(place.storage))])) {
    if (storage.outside !== undefined) add(storage, storage.outside);
  }
  outputs.forEach((place, index) => {
    const storage = root(place.storage);
    if (!chosen.has(storage)) add(storage, { kind: 'output', index });
  });
  const last = new Map<Storage, number>();
  touched.forEach((storages, i) => storages.forEach((storage) => last.set(storage, i)));
  let free: number[] = [];
  touched.forEach((storages, i) => {
    for (const storage of storages) {
      if (chosen.has(storage)) continue;
      if (isApart(storage)) {
        add(storage, { kind: 'temporary' });
        continue;
      }
      // Takes the smallest free buffer of the same dtype that is large enough, else grows the largest.
      const alike = free.filter((b) => buffers[b].dtype === storage.dtype);
      const fitting = alike.filter((b) => buffers[b].size >= storage.size);
      const best =
        fitting.length > 0
          ? fitting.reduce((a, b) => (buffers[b].size < buffers[a].size ? b : a))
          : alike.toSorted((a, b) => buffers[b].size - buffers[a].size).at(0);
      if (best === undefined) add(storage, { kind: 'temporary' });
      else {
        free = free.filter((b) => b !== best);
        buffers[best].size = Math.max(buffers[best].size, storage.size);
        chosen.set(storage, best);
      }
    }
    // Frees after the step, because one step must not read and write a buffer through two storages.
    for (const storage of new Set(storages)) {
      const buffer = chosen.get(storage);
      if (
        last.get(storage) === i &&
        !isApart(storage) &&
        buffer !== undefined &&
        buffers[buffer].kind === 'temporary'
      )
        free.push(buffer);
    }
  });
  return { buffers, bufferOf: (storage) => chosen.get(root(storage)) ?? -1 };
}
