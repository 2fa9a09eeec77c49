// What the commands of the terminal have in common: options, files, a runtime, and errors in one line.
import { readFileSync } from 'node:fs';

import { InvalidArgumentError, Option } from 'commander';

import { createRuntime, GatewiseError, type Runtime } from '../src/index.ts';
import { nodeGPU } from '../src/node/index.ts';

export type BackendName = 'webgpu' | 'cpu';

/** An option's value, or commander's own kind of error. */
export function argument<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
    }
  };
}

export function number(min: number, whole: boolean): (text: string) => number {
  return argument((text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= min && value < Infinity) || (whole && !Number.isInteger(value)))
      throw new Error(`Expected a ${whole ? 'whole ' : ''}number of at least ${min}.`);
    return value;
  });
}

export function backendOption(): Option {
  const what = 'webgpu or cpu (default: WebGPU where there is an adapter)';
  return new Option('--backend <name>', what).choices(['webgpu', 'cpu']);
}

export async function openRuntime(backend: BackendName | undefined): Promise<Runtime> {
  if (backend === 'cpu') return createRuntime({ backend });
  try {
    return await createRuntime({ backend: 'webgpu', gpu: await nodeGPU() });
  } catch (error) {
    if (backend === 'webgpu' || !(error instanceof GatewiseError) || error.code !== 'no-adapter') throw error;
    console.error(`No WebGPU, so this runs on the CPU, which is much slower: ${error.message}`);
    return createRuntime({ backend: 'cpu' });
  }
}

/** @param option The option that names the file. @throws GatewiseError `file` if it cannot be read. */
export function readBytes(option: string, path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    const message = `${option}: expected a file that can be read, but ${troubleWith(path, error)}`;
    throw new GatewiseError('file', message, { cause: error });
  }
}

/** An error of the file system, in words. */
export function troubleWith(path: string, error: unknown): string {
  if (!(error instanceof Error && 'code' in error)) throw error;
  if (error.code === 'ENOENT') return `there is no ${path}`;
  if (error.code === 'EISDIR') return `${path} is a directory`;
  return `${path} fails with ${error.message}`;
}

/** Runs a command. A GatewiseError prints one line, any other error, a bug, its stack. */
export function run(main: () => Promise<void>): void {
  main().catch((error: unknown) => {
    console.error(error instanceof GatewiseError ? `gatewise: ${error.message}` : error);
    process.exitCode = 1;
  });
}
