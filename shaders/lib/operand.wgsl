// How a kernel reads a tensor through a view: an offset and a stride per axis, both in elements.
// Generated code spells an index out with the axes that it needs; element_index serves any view.

struct Operand {
  strides: vec4u,
  offset: u32,
}

fn element_index(operand: Operand, at: vec4u) -> u32 {
  return operand.offset + dot(at, operand.strides);
}
