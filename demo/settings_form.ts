// The controls of the settings, made from the table of settings.
import { CELLS, NUMBERS, parseCell, parseNumber, type NumberSetting, type Settings } from './settings.ts';

// The steps of the arrow keys; any number in range may be typed.
const STEPS: Partial<Record<NumberSetting, number>> = {
  hidden: 16,
  embedding: 8,
  batch: 4,
  sequence: 8,
  lr: 0.001,
};

export class SettingsForm {
  readonly #form: HTMLFormElement;

  constructor(form: HTMLFormElement, cells: HTMLElement, numbers: HTMLElement) {
    this.#form = form;
    for (const cell of CELLS) {
      const label = document.createElement('label');
      const input = document.createElement('input');
      Object.assign(input, { type: 'radio', name: 'cell', value: cell });
      label.append(input, cell.toUpperCase());
      cells.append(label);
    }
    for (const [name, { label: text, min, max, whole }] of Object.entries(NUMBERS)) {
      const label = document.createElement('label');
      const input = document.createElement('input');
      Object.assign(input, { type: 'number', name, min, max, required: true });
      input.step = whole ? '1' : 'any';
      input.inputMode = whole ? 'numeric' : 'decimal';
      const step = STEPS[name as NumberSetting];
      if (step !== undefined) input.addEventListener('keydown', (event) => stepBy(event, input, step));
      label.append(text, input);
      numbers.append(label);
    }
  }

  #field(name: string): HTMLInputElement | RadioNodeList {
    const field = this.#form.elements.namedItem(name);
    if (!(field instanceof HTMLInputElement || field instanceof RadioNodeList))
      throw new Error(`settings: expected a field named ${name}`);
    return field;
  }

  set(settings: Settings): void {
    for (const [name, value] of Object.entries(settings)) this.#field(name).value = String(value);
  }

  /** The settings in the fields; undefined if one is invalid. */
  get(): Settings | undefined {
    if (!this.#form.checkValidity()) return undefined;
    const numbers = (Object.keys(NUMBERS) as NumberSetting[]).map((name) => [
      name,
      parseNumber(name, this.#field(name).value),
    ]);
    return { cell: parseCell(this.#field('cell').value), ...Object.fromEntries(numbers) };
  }

  /** As `get`, and points at an invalid field. */
  demand(): Settings | undefined {
    return this.#form.reportValidity() ? this.get() : undefined;
  }

  onChange(changed: () => void): void {
    this.#form.addEventListener('input', changed);
  }

  /** Calls back on a submit by the button, or by Enter in a field. */
  onSubmit(submitted: () => void): void {
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      submitted();
    });
  }
}

/** Makes the arrow keys change a number by a useful step; the browser's own step is 1. */
function stepBy(event: KeyboardEvent, input: HTMLInputElement, step: number): void {
  const direction = { ArrowUp: 1, ArrowDown: -1 }[event.key];
  if (direction === undefined) return;
  event.preventDefault();
  const next = Math.round(input.valueAsNumber / step + direction) * step;
  const bounded = Math.min(Number(input.max), Math.max(Number(input.min), next));
  input.value = String(Number(bounded.toPrecision(6)));
  input.dispatchEvent(new Event('input', { bubbles: true }));
}
