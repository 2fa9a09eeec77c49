export const tables: readonly (readonly [rows: number, width: number, count: number])[] = [
  [1, 1, 1],
  [1, 3, 5],
  [7, 1, 13],
  [7, 3, 1],
  [13, 17, 31],
  [65, 33, 9],
];
