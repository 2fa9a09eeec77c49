// `npm run write`: sets up the dependencies, then runs the writer.
import { launch } from '../test/setup/dependencies.mjs';

launch('demo/write.ts');
