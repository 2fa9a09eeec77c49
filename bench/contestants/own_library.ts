// All entries of the working tree's library as one object.
import * as core from '../../src/index.ts';
import * as tools from '../../src/tools/index.ts';
import * as train from '../../src/train/index.ts';
import type { Library } from './library.ts';

export const library: Library = { ...core, ...tools, ...train };
