// Long sequences are run in segments of time, so that no tensor outgrows what a device can bind and, where results are
// computed again for the gradient, so that no more than a segment's are there at once.

/**
 * Sizes of the segments, in steps. With two directions the first and the last are of one size, and so on inwards: the
 * directions share each segment's launches, one from the front, one from the back.
 * @param limits.most The most steps of a segment; one more where mirrored sizes need it. @param limits.bytes The most bytes.
 */
export function segmentSizes(
  steps: number,
  directions: number,
  bytesPerStep: number,
  { most = steps, bytes = Infinity }: { readonly most?: number; readonly bytes?: number } = {},
): number[] {
  const least = Math.min(steps, Math.max(Math.ceil(steps / most), Math.ceil((steps * bytesPerStep) / bytes)));
  // An even count of mirrored sizes has an even sum.
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
