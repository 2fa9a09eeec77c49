// The metadata of a checkpoint: enough to build the same model again, and to recognise its text.
import { GatewiseError, parseSafetensors } from '../src/index.ts';
import { Smoothed } from './meter.ts';
import { DEFAULTS, NUMBERS, parseSettings, type Settings } from './settings.ts';
import type { Corpus } from './text.ts';

const FORMAT = 'gatewise-characters-1';
const SETTINGS = ['cell', ...Object.keys(NUMBERS)] as (keyof Settings)[];

export interface Checkpoint {
  readonly settings: Settings;
  /** Characters in the order of their tokens. */
  readonly vocabulary: readonly string[];
  readonly text: { readonly name: string; readonly hash: string };
  readonly steps: number;
  readonly smoothed: Smoothed;
  /** The whole file, for the trainer to load. */
  readonly bytes: Uint8Array;
}

/** A file name; the ending is the same on the page and in the terminal, and each reads the other's. */
export function checkpointName(corpus: Corpus, cell: string): string {
  const stem = corpus.name.replace(/\.[^.]*$/, '').toLowerCase();
  return `${stem.replace(/[^\p{L}\p{N}]+/gu, '-')}-${cell}.checkpoint.safetensors`;
}

/** The strings to store beside the tensors. */
export function checkpointMetadata(
  settings: Settings,
  corpus: Corpus,
  smoothed: Smoothed,
): Record<string, string> {
  return {
    kind: FORMAT,
    ...Object.fromEntries(SETTINGS.map((name) => [name, String(settings[name])])),
    vocabulary: JSON.stringify(corpus.vocabulary.characters),
    text: corpus.name,
    text_hash: corpus.hash,
    smoothed_loss: smoothed.toString(),
  };
}

/** @throws GatewiseError `file` if it is no checkpoint of a character model. */
export function readCheckpoint(bytes: Uint8Array): Checkpoint {
  const { metadata } = parseSafetensors(bytes);
  if (metadata['kind'] !== FORMAT) {
    throw new GatewiseError(
      'file',
      `checkpoint: expected one that this page or npm run train saved (kind ${FORMAT}), got a safetensors file of ${metadata['kind'] ?? 'no kind'}`,
    );
  }
  const missing = [...SETTINGS, 'vocabulary', 'text', 'text_hash', 'steps', 'smoothed_loss'].find(
    (name) => metadata[name] === undefined,
  );
  if (missing !== undefined)
    throw new GatewiseError('file', `checkpoint: expected ${missing} in its metadata, found none`);
  return {
    settings: parseSettings((name) => metadata[name], DEFAULTS),
    vocabulary: parseVocabulary(metadata['vocabulary']),
    text: { name: metadata['text'], hash: metadata['text_hash'] },
    steps: Number(metadata['steps']),
    smoothed: Smoothed.parse(metadata['smoothed_loss']),
    bytes,
  };
}

function parseVocabulary(text: string): string[] {
  const parsed: unknown = JSON.parse(text);
  if (!Array.isArray(parsed) || !parsed.every((character) => typeof character === 'string'))
    throw new GatewiseError('file', 'checkpoint: expected a vocabulary that is a list of characters');
  return parsed;
}

/** @throws GatewiseError `file` if the checkpoint learned another text than this. */
export function checkText({ text, vocabulary }: Checkpoint, corpus: Corpus): void {
  if (text.hash !== corpus.hash) {
    throw new GatewiseError(
      'file',
      `checkpoint: it learned "${text.name}" (${text.hash}), but the text here is "${corpus.name}" (${corpus.hash}): choose that text first`,
    );
  }
  if (vocabulary.join() !== corpus.vocabulary.characters.join()) {
    throw new GatewiseError(
      'file',
      `checkpoint: its ${vocabulary.length} characters are not the ${corpus.vocabulary.size} of "${corpus.name}"; it was made by another version, start over`,
    );
  }
}

/** How the wanted settings differ from a checkpoint's, in words; undefined if they do not. */
export function settingsConflict({ settings }: Checkpoint, wanted: Partial<Settings>): string | undefined {
  const names = SETTINGS.filter((name) => wanted[name] !== undefined && wanted[name] !== settings[name]);
  if (names.length === 0) return undefined;
  return names.map((name) => `${name} ${settings[name]}, not ${wanted[name]}`).join('; ');
}
