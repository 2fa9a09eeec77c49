// `npm start`: sets up the dependencies, then serves the demo page and prints its address.
// Options: --port N (default 5173, the next free one if taken) and --host ADDRESS (default localhost; browsers give
// WebGPU to localhost and to https only).
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { ensureDependencies, root } from '../test/setup/dependencies.mjs';

async function main() {
  const { values } = parseArgs({
    options: { port: { type: 'string' }, host: { type: 'string' }, help: { type: 'boolean' } },
  });
  if (values.help) {
    console.log(
      'usage: npm start -- [--port N] [--host ADDRESS]\n\nServes the demo page, on port 5173 and localhost unless told.',
    );
    return;
  }
  const port = values.port === undefined ? 5173 : Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new Error(`--port: expected a number from 0 to 65535, got ${values.port}.`);
  }
  ensureDependencies();
  const { createServer } = await import('vite');
  const server = await createServer({
    configFile: join(root, 'vite.config.ts'),
    root: join(root, 'demo'),
    logLevel: 'warn',
    server: { port, host: values.host ?? 'localhost', fs: { allow: [root] } },
  });
  await server.listen();
  const urls = server.resolvedUrls;
  for (const url of [...(urls?.local ?? []), ...(urls?.network ?? [])]) console.log(`gatewise demo: ${url}`);
}

main().catch((/** @type {unknown} */ error) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
