// `npm run bench:pack`: the benchmark as a folder that needs nothing but Node, and the same folder as a .tar.xz.
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

import { Command } from 'commander';
import type { Plugin } from 'vite';

import packageJson from '../package.json' with { type: 'json' };
import { main } from './command.ts';
import { describeCommit } from './machine.ts';

const root = join(import.meta.dirname, '..');
const dawn = join(root, 'node_modules/webgpu');
const thisPlatform =
  process.platform === 'darwin' ? 'darwin-universal' : `${process.platform}-${process.arch}`;
const platforms = readdirSync(join(dawn, 'dist'));

const readme = (
  node: string,
): string => `gatewise ${packageJson.version}: its benchmark, without browser, npm or network.

    ${node} bench.mjs --json out.json

measures on the adapter that it finds, and checks every answer before it times it; it ends with 1 if one was wrong.
--set gpu has the sizes for real GPUs, --profile prints each step, --help the rest. Needs Node ${packageJson.engines.node}.

On Linux it needs a driver for Vulkan, and its loader libvulkan.so.1. A loader that the system does not know is found so:

    LD_LIBRARY_PATH=/folder/of/libvulkan ${node} bench.mjs

and a driver by VK_ICD_FILENAMES=/path/of/its_icd.json.

With an NVIDIA GPU and PyTorch, the same workloads through cuDNN:

    python3 torch_peer.py --workloads out.json --json torch.json
`;

// The library hides the optional package's name from bundlers; this plugin shows it to one. The bundled package then looks
// for its native module in dist/PLATFORM beside the script.
const bundleDawn: Plugin = {
  name: 'bundle-dawn',
  enforce: 'pre',
  transform(code, id) {
    if (!id.endsWith('/src/node/index.ts')) return;
    const bundled = code.replace('import(/* @vite-ignore */ specifier)', "import('webgpu')");
    if (bundled === code) this.error('bench:pack: src/node/index.ts no longer imports Dawn as expected here');
    return { code: bundled, map: null };
  },
};

async function bundle(out: string): Promise<void> {
  // Loaded only after the options are checked, since it takes a while.
  const { build } = await import('vite');
  await build({
    configFile: false,
    root,
    logLevel: 'warn',
    plugins: [bundleDawn],
    ssr: { noExternal: true },
    define: { GATEWISE_COMMIT: JSON.stringify(describeCommit() ?? '') },
    build: {
      ssr: join(root, 'bench/node.ts'),
      target: 'node20',
      outDir: out,
      emptyOutDir: true,
      minify: false,
      rolldownOptions: { output: { entryFileNames: 'bench.mjs', codeSplitting: false } },
    },
  });
}

const mebibytes = (path: string): string => `${(statSync(path).size / 2 ** 20).toFixed(1)} MiB`;

async function pack(): Promise<void> {
  const options = new Command('npm run bench:pack --')
    .description('Packs the benchmark for a machine without npm or network.')
    .option('--platform <name>', `Dawn's native module: ${platforms.join(', ')}`, thisPlatform)
    .option('--node', "put this machine's node in too", false)
    .option('--add <files...>', 'more files, such as a libvulkan.so.1', [])
    .option(
      '--out <folder>',
      'the folder, made anew; its .tar.xz is beside it',
      join(root, 'dist/bench-pack'),
    )
    .parse()
    .opts<{ platform: string; node: boolean; add: readonly string[]; out: string }>();
  const { platform, node, add } = options;
  if (!platforms.includes(platform))
    throw new Error(`--platform: expected one of ${platforms.join(', ')}, got ${platform}`);
  if (node && platform !== thisPlatform)
    throw new Error(`--node: this machine's node is for ${thisPlatform}, not for ${platform}: leave it out`);
  const missing = add.filter((path) => !existsSync(path));
  if (missing.length > 0) throw new Error(`--add: there is no ${missing.join(', ')}`);

  const out = resolve(options.out);
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  await bundle(out);
  cpSync(join(dawn, 'dist', platform), join(out, 'dist', platform), { recursive: true });
  copyFileSync(join(dawn, 'LICENSE.md'), join(out, 'LICENSE-webgpu.md'));
  copyFileSync(join(root, 'LICENSE'), join(out, 'LICENSE'));
  copyFileSync(join(import.meta.dirname, 'torch_peer.py'), join(out, 'torch_peer.py'));
  if (node) copyFileSync(process.execPath, join(out, basename(process.execPath)));
  for (const path of add) copyFileSync(path, join(out, basename(path)));
  writeFileSync(join(out, 'README.txt'), readme(node ? './node' : 'node'));

  const archive = `${out}.tar.xz`;
  execFileSync('tar', ['-C', dirname(out), '-cJf', archive, basename(out)], { stdio: 'inherit' });
  console.log(`${out}: bench.mjs ${mebibytes(join(out, 'bench.mjs'))}\n${archive}: ${mebibytes(archive)}`);
}

main(pack);
