// WebGPU in Node by Dawn, from the optional peer dependency `webgpu`: on the machine's GPU or, on Linux, on the software adapter
// (SwiftShader) that comes with Chrome and Chromium.
import { existsSync, realpathSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';

import { GatewiseError } from '../core/errors.ts';

export interface NodeGPUOptions {
  /** Use the software adapter even if there is a GPU. Default: whether the environment variable GATEWISE_SOFTWARE is 1. */
  software?: boolean;
  /** Flags for Dawn, such as `enable-dawn-features=dump_shaders`. */
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

// Garbage collection of a Dawn instance would destroy its devices, so this keeps all instances alive.
const instances = new Set<GPU>();

/**
 * A `GPU` for Node, like `navigator.gpu` in browsers. It defines WebGPU's globals (`GPUBufferUsage`, `GPUDevice`, …) on
 * `globalThis` if they are missing. An idle device does not keep the process alive; pending, awaited work does.
 * @throws GatewiseError `no-adapter`, as a rejection, if the package `webgpu` does not load or there is no adapter.
 */
export async function nodeGPU(options: NodeGPUOptions = {}): Promise<GPU> {
  const dawn = await loadDawn();
  const flags = [...(options.flags ?? [])];
  const software = options.software ?? process.env['GATEWISE_SOFTWARE'] === '1';

  const gpu =
    (software ? undefined : await instanceWithAdapter(dawn, flags)) ?? (await softwareGPU(dawn, flags));
  if (gpu === undefined) throw noAdapter(software);
  instances.add(gpu);
  for (const [name, value] of Object.entries(dawn.globals)) {
    if (!(name in globalThis))
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  return gpu;
}

async function loadDawn(): Promise<Dawn> {
  // Not a literal type, so that neither bundlers nor type checkers resolve the optional package.
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

/** A new Dawn instance, or undefined if it finds no adapter. */
async function instanceWithAdapter(dawn: Dawn, flags: string[]): Promise<GPU | undefined> {
  const gpu = dawn.create(flags);
  return (await gpu.requestAdapter()) === null ? undefined : gpu;
}

// The Vulkan loader reads the environment whenever an instance is created, so a second instance can find another adapter.
async function softwareGPU(dawn: Dawn, flags: string[]): Promise<GPU | undefined> {
  const folder = swiftShaderFolder();
  if (folder === undefined) return undefined;
  preloadVulkan(join(folder, 'libvulkan.so.1'));
  const before = process.env['VK_ICD_FILENAMES'];
  process.env['VK_ICD_FILENAMES'] = join(folder, SWIFTSHADER_ICD);
  try {
    return await instanceWithAdapter(dawn, flags);
  } finally {
    if (before === undefined) delete process.env['VK_ICD_FILENAMES'];
    else process.env['VK_ICD_FILENAMES'] = before;
  }
}

function swiftShaderFolder(): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const chrome = process.env['CHROME_PATH'];
  const chromeFolders =
    chrome !== undefined && existsSync(chrome) ? [dirname(chrome), dirname(realpathSync(chrome))] : [];
  return [...chromeFolders, ...BROWSER_FOLDERS].find((folder) => existsSync(join(folder, SWIFTSHADER_ICD)));
}

/**
 * Loads the browser's copy of the Vulkan loader, which Dawn then finds by its name if the system has none. `process.dlopen`
 * throws, since the library is no Node addon, but RTLD_NODELETE keeps it loaded.
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
  const expected = software ? 'a software WebGPU adapter' : 'a WebGPU adapter';
  const advice =
    process.platform === 'linux'
      ? 'install a Vulkan driver, or Chrome or Chromium for the software adapter it ships (CHROME_PATH says where)'
      : software
        ? 'the software adapter is known on Linux only, so leave `software` and GATEWISE_SOFTWARE unset'
        : 'update the graphics driver';
  return new GatewiseError('no-adapter', `nodeGPU: expected ${expected}, found none: ${advice}.`);
}
