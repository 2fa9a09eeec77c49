// All entries of the library as one object, of the working tree or of a build, so that builds of other commits can take part
// (`--against`).
import type * as Core from '../../src/index.ts';
import type * as Tools from '../../src/tools/index.ts';
import type * as Train from '../../src/train/index.ts';

export type Library = typeof Core & typeof Tools & typeof Train;

/** Imports a build. @param url Of its index.js, beside which its other entries lie. */
export async function importBuild(url: string): Promise<Library> {
  const load = (entry: string): Promise<unknown> =>
    import(/* @vite-ignore */ new URL(entry, new URL(url, import.meta.url)).href);
  const core = await load(url);
  if (isEarlier(core)) return fromEarlier(core);
  const [tools, train] = await Promise.all(['tools.js', 'train.js'].map(load));
  return Object.assign({}, core, tools, train) as Library;
}

/** The parts of builds before version 0.2 that are called otherwise: they had one entry, and methods where now are functions. */
interface Earlier {
  readonly Linear: new (inputSize: number, outputSize: number) => Core.Linear;
  readonly adam: Library['adam'];
}
interface EarlierNet {
  trainer(options: Train.TrainerOptions): Train.Trainer;
}
interface EarlierPlanned {
  profile(...args: readonly unknown[]): Promise<Tools.Profile>;
}

const isEarlier = (core: unknown): core is Earlier => Object.hasOwn(core as object, 'adam');

function fromEarlier(core: Earlier): Library {
  const { Linear } = core;
  return Object.assign({}, core, {
    Trainer: function (net: unknown, options: Train.TrainerOptions) {
      return (net as EarlierNet).trainer(options);
    },
    Linear: function ({ inputSize, outputSize }: Core.LinearOptions) {
      return new Linear(inputSize, outputSize);
    },
    profile: (of: unknown, ...args: readonly unknown[]) => (of as EarlierPlanned).profile(...args),
  }) as unknown as Library;
}
