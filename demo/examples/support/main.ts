// What an example does when it is the program: run on WebGPU, or say that there is none and run on the CPU.
import { createRuntime, GatewiseError, type Runtime } from '../../../src/index.ts';

/** Runs `example` where the module at `url` is the program that Node was started with, and only there. */
export async function main(url: string, example: (runtime: Runtime) => Promise<void>): Promise<void> {
  const program = typeof process === 'undefined' ? undefined : process.argv?.[1];
  if (program === undefined) return;
  const { realpathSync } = await import('node:fs');
  const { pathToFileURL } = await import('node:url');
  if (url !== pathToFileURL(realpathSync(program)).href) return;
  const runtime = await openRuntime();
  console.log(`On ${runtime.backend.description}`);
  await example(runtime);
  runtime.dispose();
}

async function openRuntime(): Promise<Runtime> {
  const { nodeGPU } = await import('../../../src/node/index.ts');
  try {
    return await createRuntime({ backend: 'webgpu', gpu: await nodeGPU() });
  } catch (error) {
    if (!(error instanceof GatewiseError) || error.code !== 'no-adapter') throw error;
    console.log(`No WebGPU, so this runs on the CPU: ${error.message}`);
    return createRuntime({ backend: 'cpu' });
  }
}
