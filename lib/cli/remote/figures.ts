/** `12,345`. */
export function grouped(amount: number): string {
  return String(Math.round(amount)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `0.84 ms`, `12 ms`, `1.2 s`: at most three significant digits. */
export function latency(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return '';
  if (ms < 9.95) return `${ms < 0.995 ? ms.toFixed(2) : ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  return `${(ms / 1000).toFixed(ms < 9950 ? 1 : 0)} s`;
}

/** Per second: `0.4`, `12`, `1,234`; `0` for none. */
export function rate(perSecond: number): string {
  if (perSecond === 0) return '0';
  return perSecond < 9.95 ? perSecond.toFixed(1) : grouped(perSecond);
}

/** `50 %`, `0.3 %`; `0 %` for none, and never 100 for less than all. */
export function percent(share: number): string {
  const hundredths = share * 100;
  if (share <= 0) return '0 %';
  if (hundredths < 0.1) return '<0.1 %';
  if (hundredths < 1) return `${hundredths.toFixed(1)} %`;
  return `${share < 1 ? Math.min(99, Math.round(hundredths)) : 100} %`;
}

/** `5 s`, `3 min`, `2 h`, `4 d`: how long ago something began, in one unit. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} d`;
}

const BARS = '▁▂▃▄▅▆▇█';

/** One bar per value, scaled to the greatest; a blank for no value. */
export function sparkline(values: readonly number[]): string {
  const most = values.reduce((most, value) => Math.max(most, value), 0);
  return values
    .map((value) => (value === 0 ? ' ' : (BARS[Math.ceil((value / most) * BARS.length) - 1] ?? ' ')))
    .join('');
}
