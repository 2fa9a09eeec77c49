// The options that `npm run bench` and `npm run bench:node` have in common.
import { Command, Option } from 'commander';

import { contestantKeys, oneOf, parsePasses, parseSet, parseWorkload } from './selection.ts';
import type { ContestantKey, Selection } from './selection.ts';
import { describeWorkload, setNames, workloads } from './workloads.ts';

export interface Options extends Selection {
  readonly passes?: number;
  readonly out?: string;
  readonly json?: string;
  /** A commit to compare the working tree with. */
  readonly against?: string;
}

const each =
  <T>(parse: (text: string) => T) =>
  (text: string, before: readonly T[]): readonly T[] => [...before, parse(text)];

function choices(peers: readonly ContestantKey[]): string {
  const line = (name: string, text: string): string => `  ${name.padEnd(22)}${text}`;
  return [
    '\nworkloads, and their sets',
    ...workloads.map((one) => line(one.name, one.sets.join(', ').padEnd(18) + describeWorkload(one))),
    '\ncontestants',
    ...peers.map((key) => line(key, contestantKeys[key])),
  ].join('\n');
}

/** @param peers The contestants that can take part. */
export function benchCommand(name: string, description: string, peers: readonly ContestantKey[]): Command {
  return new Command(name)
    .description(description)
    .option(
      '--set <name>',
      `workloads: ${setNames.join(', ')} (default: full; quick on a software adapter)`,
      parseSet,
    )
    .addOption(
      new Option('--only <name...>', 'these workloads, of any set')
        .argParser(each(parseWorkload))
        .default([], 'all of the set'),
    )
    .addOption(
      new Option('--peers <key...>', 'these contestants')
        .argParser(each(oneOf('contestant', peers)))
        .default([], peers.length > 2 ? 'all' : peers[0]),
    )
    .addOption(
      new Option(
        '--passes <n>',
        'how often everything is measured anew (default: 3; quick 2, trial 1, against a commit 10)',
      ).argParser(parsePasses),
    )
    .option('--out <folder>', 'where results go (default: bench/results; with --json the current folder)')
    .option('--json <file>', 'the file of the results in that folder, in place of DATE-ADAPTER.json')
    .addOption(
      new Option(
        '--against <commit>',
        'compare the working tree with a commit: both are built, and take turns in each pass',
      ).conflicts('peers'),
    )
    .addHelpText('after', choices(peers));
}
