// The file that a training saves to. If writing fails, it saves in the folder for temporary files, so that nothing is lost.
import { closeSync, existsSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

import { GatewiseError } from '../src/index.ts';
import { troubleWith } from './terminal.ts';

export class CheckpointFile {
  readonly #path: string;
  readonly #spare: string;
  #saved: string | undefined;

  /** @throws GatewiseError `file` if nothing can be written at `path`. */
  constructor(path: string) {
    this.#path = path;
    this.#spare = join(tmpdir(), `${process.pid}-${basename(path)}`);
    try {
      if (existsSync(path)) closeSync(openSync(path, 'r+'));
      writeFileSync(partOf(path), '');
      rmSync(partOf(path));
    } catch (error) {
      const message = `--checkpoint: expected a file that can be written, but ${troubleWriting(path, error)}`;
      throw new GatewiseError('file', message, { cause: error });
    }
  }

  /** The path that the last `write` has saved to; undefined if it could not. */
  get saved(): string | undefined {
    return this.#saved;
  }

  /** @returns what went wrong, in one line. */
  write(bytes: Uint8Array): string | undefined {
    this.#saved = undefined;
    const troubles: string[] = [];
    for (const path of [this.#path, this.#spare]) {
      try {
        replace(path, bytes);
        this.#saved = path;
        break;
      } catch (error) {
        troubles.push(troubleWriting(path, error));
      }
    }
    if (troubles.length === 0) return undefined;
    const where = this.#saved === undefined ? 'nothing is saved' : `saved in ${this.#saved} instead`;
    return `the checkpoint could not be written, as ${troubles.join(', and ')}; ${where}`;
  }
}

/** Writes a file beside `path` and renames it, so that a crash while writing leaves the last checkpoint whole. */
function replace(path: string, bytes: Uint8Array): void {
  try {
    writeFileSync(partOf(path), bytes);
    renameSync(partOf(path), path);
  } finally {
    rmSync(partOf(path), { force: true });
  }
}

function partOf(path: string): string {
  return `${path}.part`;
}

function troubleWriting(path: string, error: unknown): string {
  const folder = dirname(path);
  return existsSync(folder) ? troubleWith(path, error) : `there is no folder ${folder}`;
}
