// Computes a register tile of 4 ROW_BLOCKS by 4 COLUMN_BLOCKS results in one invocation, from 4 by 4 blocks of a and b.

const ROW_BLOCKS = 1u;
const COLUMN_BLOCKS = 1u;
const BLOCK_ROWS = 1u;            // rows of a block: 4, or fewer if the result has fewer
const R = 0u;                     // indices of unrolled blocks
const C = 0u;

/// The tile at (m, n) over one split of k. @param lane The invocation's number among those that load a together.
fn multiply_block(m: u32, n: u32, split: u32, lane: u32) {
  // @unroll R ROW_BLOCKS
  // @unroll C COLUMN_BLOCKS
  // @unroll I BLOCK_ROWS
  var sum_R_C_I = vec4f();
  // @end
  // @end
  // @end
  let start = split * params.depth;
  for (var quad = start / 4u; quad < (min(start + params.depth, params.k) + 3u) / 4u; quad++) {
    let k = quad * 4u;
    // @unroll C COLUMN_BLOCKS
    let b_C = load_b(k, n + 4u * C);
    // @end
    // @unroll R ROW_BLOCKS
    let a_R = load_a(m + 4u * R, k, lane);
    // @unroll C COLUMN_BLOCKS
    // @unroll I BLOCK_ROWS
    sum_R_C_I += a_R[I] * b_C;
    // @end
    // @end
    // @end
  }
  // The sums go to an indexed array, so that the epilogue is compiled once and not once for each sum.
  var product: array<vec4f, ROW_BLOCKS * COLUMN_BLOCKS * 4u>;
  // @unroll R ROW_BLOCKS
  // @unroll C COLUMN_BLOCKS
  // @unroll I BLOCK_ROWS
  product[(R * 4u + I) * COLUMN_BLOCKS + C] = sum_R_C_I;
  // @end
  // @end
  // @end
  for (var r = 0u; r < min(4u * ROW_BLOCKS, params.m - m); r++) {
    for (var c = 0u; c < COLUMN_BLOCKS; c++) {
      if (n + 4u * c < params.n) {
        write_quad(product[r * COLUMN_BLOCKS + c], split, m + r, n + 4u * c);
      }
    }
  }
}
