// Gives Node a `navigator.gpu`, so that tests are the same there as in Chrome, and destroys all devices after each file.
import { afterAll } from 'vitest';

import { nodeGPU } from '../../src/node/index.ts';

const gpu = await nodeGPU();
const devices = new Set<GPUDevice>();

const requestAdapter = gpu.requestAdapter.bind(gpu);
gpu.requestAdapter = async (options) => {
  const adapter = await requestAdapter(options);
  if (adapter === null) return null;
  const requestDevice = adapter.requestDevice.bind(adapter);
  adapter.requestDevice = async (descriptor) => {
    const device = await requestDevice(descriptor);
    devices.add(device);
    return device;
  };
  return adapter;
};

// Node 20 has no `navigator`; from 21 it has one that is read-only.
if (!('navigator' in globalThis))
  Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
Object.defineProperty(navigator, 'gpu', { value: gpu, configurable: true });

// A device that is still busy would slow down the next file.
afterAll(() => {
  for (const device of devices) device.destroy();
});
