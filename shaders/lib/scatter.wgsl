// The part that the launches of a scatter share: a merge sort of the positions by index, then sums of source rows in that order.
// The sums cut the order into chunks, so that many invocations sum a long run of one index.

// @include lib/linear_id.wgsl

struct Params {
  rows: u32,      // of the table
  width: u32,     // of a row
  count: u32,     // number of indices
  run: u32,       // positions that are sorted, or are to be; the last run may have fewer
  chunk: u32,     // positions of a chunk; the last may have fewer
  chunks: u32,
}

override WORKGROUP: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> index: array<i32>;        // (count)
@group(0) @binding(2) var<storage, read_write> order: array<i32>;  // (count): positions in index
@group(0) @binding(3) var<storage, read_write> out: array<f32>;    // (rows, width)
@group(0) @binding(4) var<storage, read_write> parts: array<f32>;  // (chunks, width): of the first run of each chunk

/// The index at a place in the order.
fn index_at(place: u32) -> i32 {
  return index[order[place]];
}

/// Whether the run of `row` at the beginning of a chunk began in an earlier one.
fn began_before(first: u32, row: i32) -> bool {
  return first > 0u && index_at(max(first, 1u) - 1u) == row;
}

fn is_inside(row: i32) -> bool {
  return row >= 0 && row < i32(params.rows);
}
