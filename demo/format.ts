// Durations and shares in words.

export function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  const pad = (value: number): string => String(value).padStart(2, '0');
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? `${minutes}:${pad(whole % 60)}`
    : `${Math.floor(minutes / 60)}:${pad(minutes % 60)}:${pad(whole % 60)}`;
}

/** @param share of a text that was read; 2 is all of it twice. */
export function timesRead(share: number): string {
  return share < 1 ? `${(100 * share).toFixed(1)} %` : `${share.toFixed(1)} times`;
}
