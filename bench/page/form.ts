// What to measure, as a form: a set ticks its workloads, and any of them can be ticked by hand.
import { sources } from '../contestants/index.ts';
import type { ContestantSource } from '../contestants/contestant.ts';
import { allWorkloads, workloadsOf, type Selection, type SetName } from '../selection.ts';
import { describeWorkload, trialWorkloads, type Workload } from '../workloads.ts';
import { element, make } from './dom.ts';

const SETS: readonly (readonly [SetName, string])[] = [
  ['quick', 'Quick'],
  ['full', 'Full'],
  ['gpu', 'Real GPU'],
];

export interface Choice {
  readonly set: SetName;
  readonly workloads: readonly Workload[];
  readonly sources: readonly ContestantSource[];
  readonly reversed: boolean;
}

const box = (name: string, value: string, ...text: readonly (Node | string)[]): HTMLLabelElement =>
  make(
    'label',
    { className: 'check' },
    make('input', { type: 'checkbox', name, value }),
    make('span', {}, ...text),
  );

export class ChoiceForm {
  readonly #form = element('form', HTMLFormElement);
  readonly #run = element('run', HTMLButtonElement);
  readonly #shown: readonly Workload[];
  #set: SetName;

  /** @param set where the selection has none */
  constructor(selection: Selection, set: SetName, onRun: (choice: Choice) => void) {
    this.#set = selection.set ?? set;
    const { only, peers, reversed } = selection;
    // Trials are for trying the benchmark: there only where the address asks for them.
    this.#shown = allWorkloads.filter(
      (workload) =>
        !trialWorkloads.includes(workload) || this.#set === 'trial' || only.includes(workload.name),
    );
    element('sets', HTMLElement).append(
      ...SETS.map(([value, text]) =>
        make(
          'label',
          {},
          make('input', { type: 'radio', name: 'set', value, checked: value === this.#set }),
          text,
        ),
      ),
    );
    element('workloads', HTMLElement).append(
      ...this.#shown.map((workload) =>
        box('workload', workload.name, workload.name, make('small', {}, describeWorkload(workload))),
      ),
    );
    element('contestants', HTMLElement).append(...sources.map(({ name }) => box('contestant', name, name)));
    this.#check('workload', only.length > 0 ? only : workloadsOf(this.#set).map(({ name }) => name));
    const wanted = sources.filter(({ key }) => peers.length === 0 || peers.some((peer) => peer === key));
    this.#check(
      'contestant',
      wanted.map(({ name }) => name),
    );
    if (reversed) this.#check('reversed', ['on']);

    this.#form.addEventListener('change', ({ target }) => {
      if (target instanceof HTMLInputElement && target.name === 'set') {
        this.#set = SETS.find(([value]) => value === target.value)?.[0] ?? this.#set;
        this.#check(
          'workload',
          workloadsOf(this.#set).map(({ name }) => name),
        );
      }
      this.enable();
    });
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      onRun(this.choice);
    });
  }

  #boxes(name: string): HTMLInputElement[] {
    return [...this.#form.querySelectorAll<HTMLInputElement>(`input[type=checkbox][name=${name}]`)];
  }

  #check(name: string, values: readonly string[]): void {
    for (const one of this.#boxes(name)) one.checked = values.includes(one.value);
  }

  #checked(name: string): readonly string[] {
    return this.#boxes(name)
      .filter(({ checked }) => checked)
      .map(({ value }) => value);
  }

  get choice(): Choice {
    const workloads = this.#checked('workload');
    const contestants = this.#checked('contestant');
    return {
      set: this.#set,
      workloads: this.#shown.filter(({ name }) => workloads.includes(name)),
      sources: sources.filter(({ name }) => contestants.includes(name)),
      reversed: this.#checked('reversed').length > 0,
    };
  }

  /** Lets it be run where there is something to run. */
  enable(): void {
    for (const field of this.#form.querySelectorAll<HTMLFieldSetElement>('fieldset')) field.disabled = false;
    const { workloads, sources } = this.choice;
    const nothing = workloads.length === 0 ? 'workload' : sources.length === 0 ? 'contestant' : undefined;
    this.#run.disabled = nothing !== undefined;
    element('form-note', HTMLElement).textContent =
      nothing === undefined
        ? `${workloads.length} ${workloads.length === 1 ? 'workload' : 'workloads'}, ${sources.length} ${sources.length === 1 ? 'contestant' : 'contestants'}`
        : `Tick at least one ${nothing}.`;
  }

  disable(): void {
    for (const field of this.#form.querySelectorAll<HTMLFieldSetElement>('fieldset')) field.disabled = true;
    this.#run.disabled = true;
  }
}
