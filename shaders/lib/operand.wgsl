// A view of a tensor: an offset and a stride for each axis, in elements. Generated code computes an index from the axes that it
// needs; element_index works for any view.

struct Operand {
  strides: vec4u,
  offset: u32,
}

fn element_index(operand: Operand, at: vec4u) -> u32 {
  return operand.offset + dot(at, operand.strides);
}
