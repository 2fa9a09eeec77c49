// WebGPU in Node: Dawn from the optional peer `webgpu`, on the machine's own adapter or, on Linux, on the software
// adapter (SwiftShader) that every Chrome and Chromium ships.
import { existsSync, realpathSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';

import { GatewiseError } from '../core/errors.ts';

export interface NodeGPUOptions {
  /** Take the software adapter even where there is a real one. The variable GATEWISE_SOFTWARE=1 asks for the same. */
  software?: boolean;
  /** Dawn's own flags, such as `enable-dawn-features=dump_shaders`. */
  flags?: readonly string[];
}

interface Dawn {
  create(flags: string[]): GPU;
  globals: Record<string, unknown>;
}

const SWIFTSHADER_ICD = 'vk_swiftshader_icd.json';
const BROWSER_FOLDERS = [
  '/usr/lib/chromium',
  '/opt/google/chrome',
  '/usr/lib/chromium-browser',
  '/usr/lib64/chromium-browser',
  '/snap/chromium/current/usr/lib/chromium-browser',
];

// A Dawn instance that is collected takes its devices with it, so every one handed out is held.
const instances = new Set<GPU>();

/**
 * A `GPU` for Node, as `navigator.gpu` is one for the browser. WebGPU's globals (`GPUBufferUsage`, `GPUDevice`, …) are
 * put on `globalThis` where they are missing. Node stays alive while the GPU has work that something awaits, and ends
 * with devices that are idle; destroy a device to have its memory back before.
 */
export async function nodeGPU(options: NodeGPUOptions = {}): Promise<GPU> {
  const dawn = await loadDawn();
  const flags = [...(options.flags ?? [])];
  const software = options.software ?? process.env['GATEWISE_SOFTWARE'] === '1';

  const gpu = (software ? undefined : await adapted(dawn, flags)) ?? (await softwareGPU(dawn, flags));
  if (gpu === undefined) throw noAdapter(software);
  instances.add(gpu);
  for (const [name, value] of Object.entries(dawn.globals)) {
    if (!(name in globalThis))
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  return gpu;
}

async function loadDawn(): Promise<Dawn> {
  // Not a literal, so that neither a bundler nor a type checker looks for a package that is optional.
  const specifier: string = 'webgpu';
  try {
    const dawn: Dawn = await import(/* @vite-ignore */ specifier);
    return dawn;
  } catch (cause) {
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'ERR_MODULE_NOT_FOUND';
    throw new GatewiseError(
      'no-adapter',
      missing
        ? 'nodeGPU: expected the npm package `webgpu`, which is not installed: run `npm install webgpu`.'
        : `nodeGPU: the npm package \`webgpu\` does not load on ${process.platform} ${process.arch}: ${String(cause)}`,
      { cause },
    );
  }
}

/** A new Dawn instance if it has an adapter to offer. */
async function adapted(dawn: Dawn, flags: string[]): Promise<GPU | undefined> {
  const gpu = dawn.create(flags);
  return (await gpu.requestAdapter()) === null ? undefined : gpu;
}

// The Vulkan loader reads its environment when an instance is created, so a new instance sees what is set here, even
// after another one found nothing.
async function softwareGPU(dawn: Dawn, flags: string[]): Promise<GPU | undefined> {
  const folder = swiftShaderFolder();
  if (folder === undefined) return undefined;
  preloadVulkan(join(folder, 'libvulkan.so.1'));
  const before = process.env['VK_ICD_FILENAMES'];
  process.env['VK_ICD_FILENAMES'] = join(folder, SWIFTSHADER_ICD);
  try {
    return await adapted(dawn, flags);
  } finally {
    if (before === undefined) delete process.env['VK_ICD_FILENAMES'];
    else process.env['VK_ICD_FILENAMES'] = before;
  }
}

function swiftShaderFolder(): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const chrome = process.env['CHROME_PATH'];
  const own =
    chrome !== undefined && existsSync(chrome) ? [dirname(chrome), dirname(realpathSync(chrome))] : [];
  return [...own, ...BROWSER_FOLDERS].find((folder) => existsSync(join(folder, SWIFTSHADER_ICD)));
}

/**
 * Loads the browser's own copy of the Vulkan loader, which Dawn then finds under its name where the system has none.
 * `process.dlopen` complains that it is no Node addon, but RTLD_NODELETE leaves it loaded.
 */
function preloadVulkan(path: string): void {
  if (!existsSync(path)) return;
  const RTLD_NODELETE = 0x1000;
  try {
    process.dlopen({ exports: {} }, path, constants.dlopen.RTLD_NOW | RTLD_NODELETE);
  } catch (error) {
    if (!String(error).includes('did not self-register')) {
      throw new GatewiseError('no-adapter', `nodeGPU: ${path} does not load: ${String(error)}`, {
        cause: error,
      });
    }
  }
}

function noAdapter(software: boolean): GatewiseError {
  const wanted = software ? 'a software WebGPU adapter' : 'a WebGPU adapter';
  const advice =
    process.platform === 'linux'
      ? 'install a Vulkan driver, or Chrome or Chromium for the software adapter it ships (CHROME_PATH says where)'
      : software
        ? 'the software adapter is known on Linux only, so leave `software` and GATEWISE_SOFTWARE unset'
        : 'update the graphics driver';
  return new GatewiseError('no-adapter', `nodeGPU: expected ${wanted}, found none: ${advice}.`);
}
