// The form that asks what to measure. Submitting it opens the page anew, with an address that asks for that.
import { contestantKeys, type Selection } from '../selection.ts';
import { describeWorkload, workloads, type SetName } from '../workloads.ts';
import { element, make } from './dom.ts';

const SETS = { quick: 'Quick', full: 'Full', gpu: 'Real GPU' };

/** @param choices value, label and remark of each */
function show(
  id: string,
  input: { readonly type: 'radio' | 'checkbox'; readonly name: keyof Selection },
  choices: readonly (readonly [value: string, text: string, remark?: string])[],
  chosen: readonly string[],
): void {
  for (const [value, text, remark] of choices) {
    const box = make('input', { ...input, value, checked: chosen.includes(value) });
    const small = remark === undefined ? [] : [make('small', {}, ` ${remark}`)];
    element(id, HTMLElement).append(make('label', {}, box, ` ${text}`, ...small));
  }
}

/** @param suited the set where the selection has none */
export function showForm({ set, only, peers }: Selection, suited: SetName): void {
  // Trials are shown only where the address asks for them.
  const shown = workloads.filter(({ name, sets }) => !sets.includes('trial') || only.includes(name));
  const named = shown.map((one) => [one.name, one.name, describeWorkload(one)] as const);
  show('sets', { type: 'radio', name: 'set' }, Object.entries(SETS), [set ?? suited]);
  show('workloads', { type: 'checkbox', name: 'only' }, named, only);
  show('contestants', { type: 'checkbox', name: 'peers' }, Object.entries(contestantKeys), peers);
}
