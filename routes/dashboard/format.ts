/** Numbers, times and sizes as people read them. */

const whole = new Intl.NumberFormat("en-US");

/** 12,345 */
export function count(value: number): string {
  return whole.format(value);
}

/** "1 trial", "20 trials" */
export function plural(value: number, noun: string, many = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : many}`;
}

/** So many significant digits, without an exponent where that is readable. */
export function number(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size >= 1e6 || size < 1e-3
    ? value.toExponential(digits - 1).replace(/\.?0+e/, "e").replace("e+", "e")
    : String(Number(value.toPrecision(digits)));
  return text.replace("-", "−");
}

/** "each", "every other", "every 3rd" */
export function every(stride: number): string {
  if (stride <= 2) return stride === 1 ? "each" : "every other";
  const teen = stride % 100 >= 11 && stride % 100 <= 13;
  const end = teen ? "th" : ["th", "st", "nd", "rd"][stride % 10] ?? "th";
  return `every ${count(stride)}${end}`;
}

/** A fixed number of decimals: for columns. */
export function fixed(value: number | null | undefined, decimals: number): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  return value.toFixed(decimals).replace("-", "−");
}

/** 1.5 MB */
export function bytes(value: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0, size = value;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${unit === 0 ? size : size.toFixed(size < 10 ? 1 : 0)} ${units[unit]}`;
}

/** 42 s, 3 min 20 s, 2 h 5 min */
export function duration(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return "–";
  if (seconds < 1) return "under 1 s";
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
}

const clock = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
});

/** 23 Nov, 14:05 */
export function when(instant: string): string {
  return clock.format(new Date(instant));
}

/** What names of the server shorten. */
const WORDS: Readonly<Record<string, string>> = {
  ic: "IC",
  kl: "KL",
  l2: "L2",
  adam: "Adam",
  b1: "β₁",
  b2: "β₂",
  eps: "ε",
  tau: "τ",
  var: "variance",
  min: "minimum",
  max: "maximum",
  eval: "evaluation",
  grad: "gradient",
  tol: "tolerance",
  std: "deviation",
};

/** "generatorUnits" → "Generator units" */
export function words(name: string): string {
  const spaced = name.replace(/([a-z])([A-Z])/g, "$1 $2").replaceAll("_", " ").toLowerCase();
  const known = spaced.split(" ").map((word) => WORDS[word] ?? word).join(" ");
  return known[0].toUpperCase() + known.slice(1);
}

/** 0.99 + 0.14i */
export function complex(re: number, im: number): string {
  if (im === 0) return number(re);
  return `${number(re)} ${im < 0 ? "−" : "+"} ${number(Math.abs(im))}i`;
}
