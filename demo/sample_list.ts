// The samples on the page, oldest first, so that one sees the model learn.

const MAX_SAMPLES = 40;

export interface SampleEntry {
  add(character: string): void;
  done(): void;
}

export class SampleList {
  readonly #region: HTMLElement;
  readonly #list: HTMLOListElement;

  constructor(region: HTMLElement) {
    const list = region.querySelector('ol');
    if (list === null) throw new Error('samples: expected a list in the region');
    this.#region = region;
    this.#list = list;
  }

  clear(): void {
    this.#list.replaceChildren();
  }

  /** A new sample at the end, to be written into. */
  begin(when: string): SampleEntry {
    this.#thin();
    const item = document.createElement('li');
    const head = document.createElement('p');
    const text = document.createElement('p');
    head.className = 'when';
    head.textContent = when;
    text.className = 'text writing-now';
    item.append(head, text);
    this.#follow(() => this.#list.append(item));
    return {
      add: (character) => {
        // A line break at the start would be an empty line.
        if (text.textContent === '' && character.trim() === '') return;
        this.#follow(() => text.append(character));
      },
      done: () => {
        text.classList.remove('writing-now');
        text.normalize();
      },
    };
  }

  /** Keeps the first sample, and every second of the others, so that early and late ones stay. */
  #thin(): void {
    const { children } = this.#list;
    if (children.length < MAX_SAMPLES) return;
    for (const item of [...children].filter((_, i) => i % 2 === 1 && i < MAX_SAMPLES - 4)) item.remove();
  }

  /** Keeps the end in sight, unless the reader has scrolled back. */
  #follow(change: () => void): void {
    const region = this.#region;
    const atEnd = region.scrollHeight - region.scrollTop - region.clientHeight < 40;
    change();
    if (atEnd) region.scrollTop = region.scrollHeight;
  }
}
