/** A matrix with its axes exchanged: (T, B) as (B, T), or back. */
export const swapAxes = <T>(rows: readonly (readonly T[])[]): T[][] =>
  rows[0].map((_, i) => rows.map((row) => row[i]));
