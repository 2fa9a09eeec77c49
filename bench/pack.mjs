// `npm run bench:pack`: sets up the dependencies, then packs the benchmark for machines without npm.
import { launch } from '../test/setup/dependencies.mjs';

launch('bench/pack.ts');
