// Fails each file with one clear error where Chrome has no adapter.
import { beforeAll } from 'vitest';

beforeAll(async () => {
  const adapter = await navigator.gpu?.requestAdapter();
  if (adapter) return;
  throw new Error(
    `Chrome: expected a WebGPU adapter, found none (navigator.gpu is ${typeof navigator.gpu}): ` +
      'update Chrome, or set CHROME_PATH to one that ships the software adapter (libvk_swiftshader).',
  );
});
