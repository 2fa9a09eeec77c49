// `npm run cases -- DIR`: sets up the dependencies, then runs the case runner.
import { launch } from './setup/dependencies.mjs';

launch('test/cases.ts');
