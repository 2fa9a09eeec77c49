// Serves the page: to the command's headless Chrome, or to a person.
import { join } from 'node:path';

import { createServer, type ViteDevServer } from 'vite';

const folder = import.meta.dirname;
const root = join(folder, '..');

/** @param port 0 for any that is free */
export async function serve(port: number): Promise<{ readonly server: ViteDevServer; readonly url: string }> {
  const before = process.listeners('SIGTERM');
  const server = await createServer({
    configFile: join(root, 'vite.config.ts'),
    root: folder,
    logLevel: 'warn',
    server: {
      port,
      host: 'localhost',
      fs: { allow: [root] },
      // Nothing is to be loaded again in the middle of a run.
      hmr: false,
      watch: null,
      // An isolated page has threads, and a clock of 5 µs.
      headers: {
        'Cross-Origin-Opener-Policy': 'same-origin',
        'Cross-Origin-Embedder-Policy': 'require-corp',
      },
    },
  });
  // Vite would end the process at a SIGTERM. What that means is the command's to say.
  for (const listener of process.listeners('SIGTERM'))
    if (!before.includes(listener)) process.off('SIGTERM', listener);
  await server.listen();
  const url = server.resolvedUrls?.local[0];
  if (url === undefined) throw new Error('bench: the server has no address');
  return { server, url };
}
