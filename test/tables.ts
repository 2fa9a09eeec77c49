// The tables of ops, cells and kernels in the documentation, made from the declarations, and that of speed, made from a
// file of results. `npm run tables` writes them between their markers; a unit test checks that they are current.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Results } from '../bench/results.ts';
import { speedTable } from '../bench/speed_table.ts';
import { allCells } from '../src/cells/index.ts';
import { allOps } from '../src/ops/index.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const shaders = join(root, 'shaders');

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

/** The comment at the head of a WGSL file, as one sentence. */
function headOf(file: string): string {
  const lines = readFileSync(join(shaders, file), 'utf8').split('\n');
  const comment = lines.slice(
    0,
    lines.findIndex((line) => !line.startsWith('// ')),
  );
  const text = comment.map((line) => line.slice(3)).join(' ');
  return /^.*?[^.\s](?=\.(?: |$))/.exec(text)?.[0] ?? text;
}

/** Tables by the word after `generated:`. The rest of the marker is the table's argument. */
const tables: Record<string, (about: string) => string> = {
  ops: () =>
    table(
      ['op', 'what it does', 'runs as', 'gradient', 'tolerance'],
      allOps.map((op) => {
        const { absolute, relative } = op.tolerance;
        const runs =
          op.view !== undefined ? 'view' : op.isStructural === true ? 'resolved by the plan' : 'kernel';
        const tolerance =
          runs !== 'kernel' || absolute + relative === 0
            ? 'exact'
            : `${absolute.toExponential()}, ${relative.toExponential()}`;
        return [`\`${op.name}\``, op.summary, runs, op.grad === undefined ? '–' : 'yes', tolerance];
      }),
    ),
  cells: () =>
    table(
      [
        'cell',
        'gates',
        'states',
        'weights per unit',
        'dispatches per step, forward and backward',
        'stored for training, bytes per (step, row, unit)',
      ],
      allCells.map(({ name, gates, states, weights, program }) => {
        const { slots, savesActivations, forward, backward } = program({ bias: true, masked: false });
        return [
          `\`${name}\``,
          gates.map((gate) => (gate.kind === 'sum' ? gate.name : `${gate.name} (${gate.kind})`)).join(' '),
          states.join(' '),
          weights.map((weight) => weight.name).join(' ') || '–',
          `${forward.length}, ${backward.length}`,
          String(4 * ((savesActivations ? slots.length : 0) + states.length)),
        ];
      }),
    ),
  kernels: () =>
    table(
      ['file', 'what it computes'],
      readdirSync(shaders)
        .filter((file) => file.endsWith('.wgsl'))
        .sort()
        .map((file) => [`\`${file}\``, headOf(file)]),
    ),
  /** @param about the name of a file in bench/results. */
  speed: (about) => {
    const file = join(root, 'bench', 'results', `${about}.json`);
    return speedTable(JSON.parse(readFileSync(file, 'utf8')) as Results);
  },
};

export const documents: readonly string[] = ['README.md', 'ARCHITECTURE.md', 'shaders/README.md'];

/** A document with its tables generated again. */
export function withTables(document: string): { before: string; after: string } {
  const before = readFileSync(join(root, document), 'utf8');
  const after = before.replace(
    /(<!-- generated: (\w+) ?(\S*) -->\n)[^]*?(<!-- end -->)/g,
    (_, open: string, name: string, about: string, close: string) => {
      const make = tables[name];
      if (make === undefined)
        throw new Error(`${document}: no table "${name}"; expected ${Object.keys(tables).join(', ')}`);
      return `${open}\n${make(about)}\n\n${close}`;
    },
  );
  return { before, after };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const document of documents) {
    const { before, after } = withTables(document);
    if (before !== after) writeFileSync(join(root, document), after);
    console.log(`${document}: ${before === after ? 'current' : 'written'}`);
  }
}
