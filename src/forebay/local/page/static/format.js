// Numbers and times as a person reads them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export const count = (number) => whole.format(number);

// A rate: one decimal while it is small.
export const rate = (number) => (number < 100 ? fine : whole).format(number);

export const share = (part, all) => (all > 0 ? `${whole.format((100 * part) / all)} %` : "–");

// 4.2 s · 2:05 · 1:02:05
export function duration(seconds) {
  if (seconds < 9.95) return `${fine.format(seconds)} s`;
  const total = Math.round(seconds);
  if (total < 60) return `${total} s`;
  return clock(total);
}

export function clock(seconds) {
  const total = Math.max(0, Math.round(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(total / 3600);
  const minutes = Math.floor((total % 3600) / 60);
  return hours ? `${hours}:${two(minutes)}:${two(total % 60)}` : `${minutes}:${two(total % 60)}`;
}

// The same for a listener: "4 seconds", "2 minutes 5 seconds".
export function spokenDuration(seconds) {
  const total = Math.round(seconds);
  const many = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;
  if (total < 60) return many(total, "second");
  return `${many(Math.floor(total / 60), "minute")} ${many(total % 60, "second")}`;
}

export const seconds = (number) => (number === null ? "–" : number < 10 ? number.toFixed(3) : fine.format(number));

export function timeOfDay(utc) {
  return new Date(utc).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

export const shortId = (taskId) => taskId.slice(0, 8);
