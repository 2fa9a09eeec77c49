// Runs once before the GPU tests under Node. Fails where there is no adapter. Where there is only the software adapter, it
// tells the workers, so that they do not search for another, which prints the driver's warnings.
import { nodeGPU } from '../../src/node/index.ts';

export async function setup(): Promise<void> {
  const adapter = await (await nodeGPU()).requestAdapter();
  if (adapter?.info.isFallbackAdapter) process.env['GATEWISE_SOFTWARE'] = '1';
  console.log(`adapter: ${adapter?.info.description || adapter?.info.vendor}`);
}
