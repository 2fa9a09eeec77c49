// Splits long sequences into segments of time. Each tensor of a segment fits a device's binding limit, and with recomputation
// the reserve space of only one segment is live at a time.

/**
 * Sizes of the segments, in steps. With two directions the list of sizes is a palindrome, since the directions share launches:
 * the n-th launch runs segment n from the front and segment n from the back.
 * @param limits.most The most steps of a segment; one more where the palindrome needs it. @param limits.bytes The most bytes.
 */
export function segmentSizes(
  steps: number,
  directions: number,
  bytesPerStep: number,
  { most = steps, bytes = Infinity }: { readonly most?: number; readonly bytes?: number } = {},
): number[] {
  const least = Math.min(steps, Math.max(Math.ceil(steps / most), Math.ceil((steps * bytesPerStep) / bytes)));
  // An even number of palindromic sizes has an even sum.
  const count = directions === 2 && least % 2 === 0 && steps % 2 === 1 ? least + 1 : least;
  const sizes = Array.from({ length: count }, () => Math.floor(steps / count));
  let rest = steps % count;
  for (let i = 0; rest >= 2 && i < count - 1 - i; i++, rest -= 2) {
    sizes[i]++;
    sizes[count - 1 - i]++;
  }
  sizes[Math.floor(count / 2)] += rest;
  return sizes;
}
