// `npm run write`: text from a checkpoint that the page or `npm run train` saved. Only the text goes to the output.
import { Command } from 'commander';

import { readCheckpoint } from './checkpoint.ts';
import { buildModel } from './model.ts';
import { Sampler, type SampleOptions } from './sample.ts';
import { backendOption, number, openRuntime, readBytes, run, type BackendName } from './terminal.ts';
import { Vocabulary } from './text.ts';

interface Options extends Required<SampleOptions> {
  readonly checkpoint: string;
  readonly backend?: BackendName;
}

function commandLine(): Command {
  return new Command('npm run write --')
    .description('Writes text with a model that the page or npm run train has saved.')
    .requiredOption('--checkpoint <file>', 'the model')
    .option('--length <n>', 'how many characters to write', number(0, true), 500)
    .option(
      '--temperature <t>',
      'below 1 safer, above 1 wilder; 0 always takes the likeliest',
      number(0, false),
      0.8,
    )
    .option('--seed <n>', 'the same seed writes the same text', number(0, true), 1)
    .option('--prompt <text>', 'what the text begins with', '')
    .addOption(backendOption());
}

async function main(): Promise<void> {
  const { checkpoint: path, backend, ...options } = commandLine().parse().opts<Options>();
  const { settings, vocabulary: characters, bytes } = readCheckpoint(readBytes('--checkpoint', path));
  const vocabulary = new Vocabulary(characters);
  // The prompt as the model reads it, with the placeholder for characters that it does not know.
  const prompt = vocabulary.decode(vocabulary.encode(options.prompt));
  using runtime = await openRuntime(backend);
  const model = buildModel(settings, vocabulary.size);
  using net = await runtime.load(model, { weights: bytes });
  using sampler = new Sampler(net, vocabulary);
  process.stdout.write(prompt);
  for await (const character of sampler.write(options)) process.stdout.write(character);
  process.stdout.write('\n');
}

run(main);
