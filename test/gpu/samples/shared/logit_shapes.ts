export const logitShapes: readonly (readonly [rows: number, classes: number])[] = [
  [1, 1],
  [1, 7],
  [3, 1],
  [17, 65],
  [33, 3],
  [2, 257],
];
