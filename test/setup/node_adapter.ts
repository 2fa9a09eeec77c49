// Run once before the GPU tests under Node: fails where there is no adapter at all, and where there is only the software
// adapter tells the workers so, to spare each of them a search that ends in the driver's warnings.
import { nodeGPU } from '../../src/node/index.ts';

export async function setup(): Promise<void> {
  const adapter = await (await nodeGPU()).requestAdapter();
  if (adapter?.info.isFallbackAdapter) process.env['GATEWISE_SOFTWARE'] = '1';
  console.log(`adapter: ${adapter?.info.description || adapter?.info.vendor}`);
}
