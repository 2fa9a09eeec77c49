// out[m, n] = epilogue(sum over k of a[m, k] * b[k, n]), over strided matrices: a transpose is a view.
// One invocation computes a tile of ROWS by 4 results in registers, four k at a time.

// @include lib/nonlinear.wgsl
// @include lib/operand.wgsl

struct Params {
  m: u32,
  n: u32,
  k: u32,
  a_strides: vec2u,               // m, k
  b_strides: vec2u,               // k, n
  a_offset: u32,
  b_offset: u32,
  operands: array<Operand, 6>,    // in2 to in6, then out; axes: 0, 0, m, n
}

override WORKGROUP_N: u32 = 16;   // invocations along n
override WORKGROUP_M: u32 = 1;    // and along m
const ROWS = 1u;                  // stands in for the unrolled count
const R = 0u;
const C = 0u;
const Q = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> in2: array<f32>;
@group(0) @binding(4) var<storage, read> in3: array<f32>;
@group(0) @binding(5) var<storage, read> in4: array<f32>;
@group(0) @binding(6) var<storage, read> in5: array<f32>;
@group(0) @binding(7) var<storage, read> in6: array<f32>;
@group(0) @binding(8) var<storage, read_write> out: array<f32>;

// @splice epilogue
fn epilogue(product: f32, at: vec4u) -> f32 {
  return product;
}
// @end

@compute @workgroup_size(WORKGROUP_N, WORKGROUP_M)
fn matmul(@builtin(global_invocation_id) id: vec3u) {
  let n = id.x * 4u;
  let m = id.y * ROWS;
  if (m >= params.m || n >= params.n) {
    return;
  }
  // Rows and columns past the edge read the last one and are not written.
  // @unroll R ROWS
  var a_R = params.a_offset + min(m + R, params.m - 1u) * params.a_strides.x;
  var sum_R = vec4f();
  // @end
  // @unroll C 4
  var b_C = params.b_offset + min(n + C, params.n - 1u) * params.b_strides.y;
  // @end
  let a_step = params.a_strides.y;
  let b_step = params.b_strides.x;
  for (var quad = 0u; quad < params.k / 4u; quad++) {
    // @unroll Q 4
    let column_Q = vec4f(b[b_0 + Q * b_step], b[b_1 + Q * b_step], b[b_2 + Q * b_step], b[b_3 + Q * b_step]);
    // @end
    // @unroll R ROWS
    sum_R += a[a_R] * column_0 + a[a_R + a_step] * column_1 + a[a_R + 2u * a_step] * column_2 + a[a_R + 3u * a_step] * column_3;
    a_R += 4u * a_step;
    // @end
    // @unroll C 4
    b_C += 4u * b_step;
    // @end
  }
  for (var rest = 0u; rest < params.k % 4u; rest++) {
    let column = vec4f(b[b_0], b[b_1], b[b_2], b[b_3]);
    // @unroll R ROWS
    sum_R += a[a_R] * column;
    a_R += a_step;
    // @end
    // @unroll C 4
    b_C += b_step;
    // @end
  }
  // @unroll R ROWS
  if (m + R < params.m) {
    // @unroll C 4
    if (n + C < params.n) {
      let at = vec4u(0u, 0u, m + R, n + C);
      out[element_index(params.operands[5], at)] = epilogue(sum_R[C], at);
    }
    // @end
  }
  // @end
}
