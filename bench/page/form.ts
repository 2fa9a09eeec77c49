// What to measure, as a form: sending it opens the page anew, with an address that asks for that.
import { contestantKeys, type Selection } from '../selection.ts';
import { describeWorkload, workloads, type SetName } from '../workloads.ts';
import { element, make } from './dom.ts';

const SETS = { quick: 'Quick', full: 'Full', gpu: 'Real GPU' };

/** A radio button or checkbox with a label. */
function choice(
  type: 'radio' | 'checkbox',
  name: string,
  value: string,
  checked: boolean,
  text: string,
  more?: string,
): HTMLElement {
  const small = more === undefined ? [] : [make('small', {}, ` ${more}`)];
  return make('label', {}, make('input', { type, name, value, checked }), ` ${text}`, ...small);
}

/** @param set where the selection has none */
export function showForm({ set, only, peers }: Selection, suited: SetName): void {
  const sets = Object.entries(SETS).map(([value, text]) =>
    choice('radio', 'set', value, value === (set ?? suited), text),
  );
  element('sets', HTMLElement).append(...sets);
  // Trials are shown only where the address asks for them.
  const shown = workloads.filter(({ name, sets: of }) => !of.includes('trial') || only.includes(name));
  element('workloads', HTMLElement).append(
    ...shown.map((one) =>
      choice('checkbox', 'only', one.name, only.includes(one.name), one.name, describeWorkload(one)),
    ),
  );
  element('contestants', HTMLElement).append(
    ...Object.entries(contestantKeys).map(([key, text]) =>
      choice(
        'checkbox',
        'peers',
        key,
        peers.some((peer) => peer === key),
        text,
      ),
    ),
  );
}
