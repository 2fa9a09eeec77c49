// `npm run bench:node`: sets up the dependencies, then measures gatewise under Node.
import { launch } from '../test/setup/dependencies.mjs';

launch('bench/node.ts', ['bench']);
