/** Colours of the page for what is painted on a canvas, and a sign when they change. */

let probe: HTMLElement | null = null;

/** A variable of the page's style, as red, green and blue of 0 to 255. */
export function color(variable: string): [number, number, number] {
  if (!probe) {
    probe = document.createElement("span");
    probe.hidden = true;
    document.body.append(probe);
  }
  probe.style.color = `var(${variable})`;
  const [r = 0, g = 0, b = 0] = (getComputedStyle(probe).color.match(/[\d.]+/g) ?? []).map(Number);
  return [r, g, b];
}

/** The same, as CSS says it. */
export function cssColor(variable: string): string {
  return `rgb(${color(variable).join(" ")})`;
}

const changed = new EventTarget();

export function themeChanged(): void {
  changed.dispatchEvent(new Event("change"));
}

/** Calls when light turns dark or back, until the page is left. */
export function onTheme(call: () => void, signal: AbortSignal): void {
  changed.addEventListener("change", call, { signal });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", call, { signal });
}

/** Categorical colours: Okabe and Ito's, told apart by every kind of colour vision. */
const COLORS = Array.from({ length: 8 }, (_, i) => `var(--color-${i + 1})`);

export function categorical(index: number): string {
  return COLORS[index % COLORS.length];
}

export interface Coloring {
  readonly color: (trial: number) => string;
  /** names of the first colours, and how many there are */
  readonly legend: readonly { readonly label: string; readonly color: string }[];
  readonly words: string;
}

/** Trials by condition; many conditions go around the hue circle, which suits angles. */
export function byCondition(condition_B: ArrayLike<number> | null): Coloring {
  if (condition_B === null) return { color: () => COLORS[0], legend: [], words: "" };
  const labels = [...new Set(Array.from(condition_B))].sort((a, b) => a - b);
  const few = labels.length <= COLORS.length;
  const colors = labels.map((_, i) =>
    few ? COLORS[i] : `oklch(var(--hue-lightness) 0.13 ${Math.round(360 * i / labels.length)})`
  );
  const of = new Map(labels.map((label, i) => [label, colors[i]]));
  const named = few
    ? labels.map((_, i) => i)
    : [0, 1, 2, 3].map((i) => Math.floor(i * labels.length / 4));
  return {
    color: (trial) => of.get(condition_B[trial]) ?? COLORS[0],
    legend: named.map((i) => ({ label: `condition ${labels[i]}`, color: colors[i] })),
    words: few
      ? "Colours are conditions."
      : `Colours are the ${labels.length} conditions in order around the hue circle; four are named.`,
  };
}
