// `npm run bench`: sets up the dependencies, the benchmark's own among them, then runs it.
import { launch } from '../test/setup/dependencies.mjs';

launch('bench/run.ts', ['bench']);
