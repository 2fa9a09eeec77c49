// One sample of each kernel in each variant of its op, taken from the samples of the conformance tests.
import { allOps } from '../../src/ops/index.ts';
import { KINDS, configurationsOf, type Configuration } from '../gpu/conformance.ts';
import { deviceSamples, persistentSamples, samples } from '../gpu/samples/index.ts';

/** The kernels that a configuration covers, as `op, variant: kernel`. */
const marksOf = ({ name, variant, kernels }: Configuration): string[] =>
  kernels.map((kernel) => `${name}${variant === undefined ? '' : `, ${variant}`}: ${kernel}`);

/** For each kernel and variant the configuration in the middle of the list: its sizes are neither trivial nor large. */
export function selection(): Configuration[] {
  const byMark = new Map<string, Configuration[]>();
  for (const { name } of allOps) {
    const list = [samples, deviceSamples, persistentSamples].flatMap((of) => of[name] ?? []);
    for (const configuration of list.flatMap((sample) => configurationsOf(name, sample, [...KINDS.keys()])))
      for (const mark of marksOf(configuration))
        byMark.set(mark, [...(byMark.get(mark) ?? []), configuration]);
  }
  return [
    ...new Set([...byMark.values()].map((configurations) => configurations[configurations.length >> 1])),
  ];
}
