// One sample of each kernel of an op in each of its variants, taken from the samples of the conformance tests.
import { allOps } from '../../src/ops/index.ts';
import { KINDS, waysOf, type Way } from '../gpu/conformance.ts';
import { deviceSamples, persistentSamples, samples } from '../gpu/samples/index.ts';

/** What one way is selected for: `op, variant: kernel`. */
const marksOf = ({ name, variant, kernels }: Way): string[] =>
  kernels.map((kernel) => `${name}${variant === undefined ? '' : `, ${variant}`}: ${kernel}`);

/** Of the ways that launch a kernel in a variant the one in the middle of the list, whose sizes are neither trivial nor large. */
export function selection(): Way[] {
  const byMark = new Map<string, Way[]>();
  for (const { name } of allOps) {
    const list = [samples, deviceSamples, persistentSamples].flatMap((of) => of[name] ?? []);
    for (const way of list.flatMap((sample) => waysOf(name, sample, [...KINDS.keys()])))
      for (const mark of marksOf(way)) byMark.set(mark, [...(byMark.get(mark) ?? []), way]);
  }
  return [...new Set([...byMark.values()].map((ways) => ways[ways.length >> 1]))];
}
