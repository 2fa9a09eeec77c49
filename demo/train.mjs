// `npm run train`: sets up the dependencies, then runs the terminal trainer.
import { launch } from '../test/setup/dependencies.mjs';

launch('demo/train.ts');
