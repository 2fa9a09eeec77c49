// Creates graph nodes from ops.
import { Node, type Op, type Value } from '../graph/value.ts';

/** All outputs of a new node. */
export function applyAll<Attrs>(op: Op<Attrs>, attrs: Attrs, inputs: readonly Value[]): readonly Value[] {
  return new Node(op, attrs, inputs, op.infer(attrs, inputs)).outputs;
}

/** The first output of a new node. */
export function apply<Attrs>(op: Op<Attrs>, attrs: Attrs, inputs: readonly Value[]): Value {
  return applyAll(op, attrs, inputs)[0];
}
