// `npm run bench`: runs the page in headless Chrome.
import { openChrome, serve } from './chrome.ts';
import { bench, main } from './command.ts';
import { benchCommand, type Options } from './options.ts';
import { keys, writeSelection } from './selection.ts';

const OPEN_PORT = 5174;
const description = 'Measures gatewise beside TF.js, ONNX Runtime Web and jax-js, in headless Chrome.';

main(async () => {
  const options = benchCommand('npm run bench --', description, keys)
    .option('--open', 'only serve the page, for a browser of yours', false)
    .parse()
    .opts<Options & { readonly open: boolean }>();
  if (!options.open) return await bench(options, openChrome);
  const { url } = await serve(OPEN_PORT);
  console.log(`gatewise benchmark: ${url}?${writeSelection(options)}\nCtrl-C ends it`);
});
