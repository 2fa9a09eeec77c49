// Assigns storages to buffers: an output takes over the storage of an input that has no later reader, and storages whose
// lifetimes do not overlap share a buffer (greedy colouring of an interval graph, as in register allocation by linear scan).
import { sizeOf, type DType } from '../core/shape.ts';
import { denseView, sameView } from '../core/view.ts';
import type { InPlace } from '../graph/value.ts';
import { copyStep, type LoweredStep } from './lower.ts';
import type { Memoised } from './memoise.ts';
import { densePlacement, type Placement, type Storage } from './placement.ts';

/** A buffer of a plan. */
export interface BufferSpec {
  readonly kind: 'argument' | 'output' | 'temporary';
  /** The index of the argument or output; undefined for a temporary. */
  readonly index?: number;
  readonly dtype: DType;
  /** Elements of 4 bytes. */
  readonly size: number;
  readonly label: string;
  /** Of a temporary, whether its contents outlive a run. */
  readonly isRetained: boolean;
}

const isWhole = ({ storage, view }: Placement): boolean =>
  sizeOf(view.shape) === storage.size && sameView(view, denseView(view.shape));

/**
 * Merges the storages of in-place pairs of inputs and outputs. Where a pair must share memory and the input is still needed, a
 * step that copies the input comes first. @returns The steps, the outputs, and the storage whose memory each storage uses.
 */
export function shareInPlace(lowered: Memoised): {
  steps: LoweredStep[];
  outputs: Placement[];
  root: (storage: Storage) => Storage;
} {
  /** The storage into whose memory each merged storage went: a union-find structure. */
  const parents = new Map<Storage, Storage>();
  const rootOf = (storage: Storage): Storage => {
    const parent = parents.get(storage);
    return parent === undefined ? storage : rootOf(parent);
  };
  const lastRead = new Map<Storage, number>();
  lowered.steps.forEach((step, i) => step.inputs.forEach(({ storage }) => lastRead.set(storage, i)));
  for (const { storage } of lowered.outputs) lastRead.set(storage, Infinity);
  const donated = new Map(lowered.donations.map(({ argument, output }) => [output.storage, argument]));
  const shared = new Set<Storage>();
  const steps: LoweredStep[] = [];

  lowered.steps.forEach((step, i) => {
    const inputs = [...step.inputs];
    const overwritten = new Set<number>();
    /** Whether the step can write `output` to the memory of an input, whose old values nothing else needs. */
    const canShare = ({ input, must }: InPlace, output: Placement): boolean => {
      const source = inputs[input];
      const root = rootOf(source.storage);
      const otherReads = inputs.filter((other, j) => j !== input && rootOf(other.storage) === root);
      return (
        (source.storage.external === undefined || donated.get(output.storage) === source.storage) &&
        // The memory of an output that is copied to the caller's buffer is that buffer.
        output.storage.external === undefined &&
        root.hasGaps !== true &&
        !lowered.retainedStorages.has(source.storage) &&
        !lowered.retainedStorages.has(output.storage) &&
        !overwritten.has(input) &&
        (lastRead.get(root) ?? 0) <= i &&
        isWhole(source) &&
        isWhole(output) &&
        sizeOf(source.view.shape) === sizeOf(output.view.shape) &&
        source.storage.dtype === output.storage.dtype &&
        // An expression reads each element before it writes it. A loop over time reads elements that it has overwritten.
        otherReads.every((other) => !must && sameView(other.view, source.view))
      );
    };
    const share = (input: number, output: Placement): void => {
      overwritten.add(input);
      shared.add(output.storage);
      const root = rootOf(inputs[input].storage);
      parents.set(output.storage, root);
      lastRead.set(root, Math.max(lastRead.get(root) ?? 0, lastRead.get(output.storage) ?? 0));
    };
    const pairs = (step.op.inPlace?.(step.attrs, step.inputs.length) ?? []).filter(
      ({ input, output }) => input < inputs.length && output < step.outputs.length,
    );
    const isDonation = ({ input, output }: InPlace): boolean =>
      donated.get(step.outputs[output].storage) === inputs[input].storage;
    const ordered = pairs.toSorted((a, b) => Number(isDonation(b)) - Number(isDonation(a)));
    for (const pair of ordered) {
      const output = step.outputs[pair.output];
      if (shared.has(output.storage)) continue;
      if (!pair.must && donated.has(output.storage) && !isDonation(pair)) continue;
      if (canShare(pair, output)) share(pair.input, output);
      else if (pair.must) {
        const from = inputs[pair.input];
        const copy = densePlacement('copy', from.view.shape, from.storage.dtype);
        steps.push(copyStep(from, copy));
        inputs[pair.input] = copy;
        share(pair.input, output);
      }
    }
    steps.push({ ...step, inputs });
  });

  const moved = new Map<Placement, Placement>();
  for (const { argument, output } of lowered.donations) {
    const root = rootOf(output.storage);
    if (root === argument) continue;
    const firstWrite = steps.findIndex((step) =>
      step.outputs.some(({ storage }) => rootOf(storage) === root),
    );
    const lastUse = steps.findLastIndex((step) =>
      step.inputs.some(({ storage }) => rootOf(storage) === argument),
    );
    // The output is computed in the argument's memory if no later step reads the argument; else it is copied there last.
    if (firstWrite > lastUse) parents.set(root, argument);
    else {
      const target: Placement = { ...output, storage: argument };
      steps.push(copyStep(output, target));
      moved.set(output, target);
    }
  }
  const outputs = lowered.outputs.map((output) => moved.get(output) ?? output);
  return { steps, outputs, root: rootOf };
}

/**
 * Assigns each storage to a buffer, in which it begins at element 0.
 * @param root The storage whose memory a storage uses.
 * @param retainedStorages Results of memoised steps: each has a buffer of its own.
 */
export function assignBuffers(
  steps: readonly LoweredStep[],
  outputs: readonly Placement[],
  root: (storage: Storage) => Storage,
  retainedStorages: ReadonlySet<Storage>,
): { buffers: BufferSpec[]; bufferOf: (storage: Storage) => number } {
  /** Whether the contents of a storage outlive the run, so that it does not share its buffer. */
  const isRetained = (storage: Storage): boolean => storage.hasGaps === true || retainedStorages.has(storage);
  const buffers: (Omit<BufferSpec, 'size'> & { size: number })[] = [];
  const assigned = new Map<Storage, number>();
  const add = (storage: Storage, kind: Pick<BufferSpec, 'kind' | 'index'>): void => {
    const { size, dtype, label } = storage;
    assigned.set(storage, buffers.push({ ...kind, size, dtype, label, isRetained: isRetained(storage) }) - 1);
  };
  const storagesOf = steps.map((step) =>
    [...step.inputs, ...step.outputs, ...step.scratch].map(({ storage }) => root(storage)),
  );
  const outputStorages = outputs.map(({ storage }) => root(storage));
  for (const storage of new Set([...storagesOf.flat(), ...outputStorages])) {
    if (storage.external !== undefined) add(storage, storage.external);
  }
  outputStorages.forEach((storage, index) => {
    if (!assigned.has(storage)) add(storage, { kind: 'output', index });
  });
  const lastUse = new Map<Storage, number>();
  storagesOf.forEach((storages, i) => storages.forEach((storage) => lastUse.set(storage, i)));
  let free: number[] = [];
  storagesOf.forEach((storages, i) => {
    for (const storage of storages) {
      if (assigned.has(storage)) continue;
      // The smallest free buffer of the same dtype that is large enough, else the largest one, which grows.
      const sameDType = free.filter((b) => !isRetained(storage) && buffers[b].dtype === storage.dtype);
      const largeEnough = sameDType.filter((b) => buffers[b].size >= storage.size);
      const best =
        largeEnough.length > 0
          ? largeEnough.reduce((a, b) => (buffers[b].size < buffers[a].size ? b : a))
          : sameDType.toSorted((a, b) => buffers[b].size - buffers[a].size).at(0);
      if (best === undefined) add(storage, { kind: 'temporary' });
      else {
        free = free.filter((b) => b !== best);
        buffers[best].size = Math.max(buffers[best].size, storage.size);
        assigned.set(storage, best);
      }
    }
    // Buffers become free only after the step: a step never reads and writes one buffer through two storages.
    for (const storage of new Set(storages)) {
      const buffer = assigned.get(storage);
      if (
        lastUse.get(storage) === i &&
        !isRetained(storage) &&
        buffer !== undefined &&
        buffers[buffer].kind === 'temporary'
      )
        free.push(buffer);
    }
  });
  return { buffers, bufferOf: (storage) => assigned.get(root(storage)) ?? -1 };
}
