// `npm run cases -- DIR…`: runs every recurrent case below the folders on both backends and prints the worst error of each.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

import { createRuntime, type Runtime } from '../src/index.ts';
import { nodeGPU } from '../src/node/index.ts';
import { readCase, runCase, worstOf, type CaseError } from './recurrent_case.ts';

const folders = process.argv.slice(2);
if (
  folders.length === 0 ||
  !folders.every((folder) => existsSync(folder) && statSync(folder).isDirectory())
) {
  console.error(
    `usage: npm run cases -- DIR…: expected folders of *.safetensors cases, got ${folders.join(' ') || 'none'}`,
  );
  process.exit(2);
}
const files = folders.flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.safetensors'))
    .sort()
    .map((file) => join(folder, file)),
);
if (files.length === 0) {
  console.error(`cases: no *.safetensors below ${folders.join(', ')}`);
  process.exit(2);
}

const gpu = await createRuntime({ backend: 'webgpu', gpu: await nodeGPU() });
const cpu = await createRuntime({ backend: 'cpu' });
const backends: readonly [string, Runtime][] = [
  ['webgpu', gpu],
  ['cpu', cpu],
];
console.log(
  `${files.length} cases on ${backends.map(([, { backend }]) => backend.description).join(' and on ')}`,
);
console.log('The worst error of each case, as a share of its tolerance: up to 1 passes.\n');

interface Row {
  readonly name: string;
  readonly worst: readonly (CaseError | Error)[];
}

const rows: Row[] = [];
for (const [i, file] of files.entries()) {
  if (process.stderr.isTTY) process.stderr.write(`\r${i + 1}/${files.length} ${file.slice(-60)}\u001b[K`);
  const worst: (CaseError | Error)[] = [];
  for (const [, runtime] of backends) {
    try {
      worst.push(worstOf(await runCase(readCase(readFileSync(file)), runtime)));
    } catch (error) {
      // Reported as this case's result: the other cases still run.
      worst.push(error instanceof Error ? error : new Error(String(error)));
    }
  }
  rows.push({ name: folders.length === 1 ? relative(folders[0], file) : file, worst });
}
if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');

const passed = (result: CaseError | Error): boolean => !(result instanceof Error) && result.share <= 1;
const text = (result: CaseError | Error): string =>
  result instanceof Error ? `error: ${result.message}` : `${result.share.toFixed(4)} ${result.tensor}`;
const width = Math.max(...rows.map(({ name }) => name.length));
for (const { name, worst } of rows) {
  const cells = worst.map((result, i) => `${backends[i][0]} ${text(result)}`);
  console.log(`${worst.every(passed) ? 'ok    ' : 'FAILED'} ${name.padEnd(width)}  ${cells.join('   ')}`);
}
console.log('');
for (const [i, [name]] of backends.entries()) {
  const results = rows.map(({ worst }) => worst[i]);
  const measured = results.filter((result): result is CaseError => !(result instanceof Error));
  const worst = measured.length === 0 ? 'nothing measured' : text(worstOf(measured));
  console.log(`${name}: ${results.filter(passed).length} of ${results.length} passed, worst ${worst}`);
}
gpu.dispose();
cpu.dispose();
process.exitCode = rows.every(({ worst }) => worst.every(passed)) ? 0 : 1;
