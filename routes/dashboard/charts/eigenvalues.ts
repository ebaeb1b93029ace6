/** Eigenvalues in the complex plane, and the unit circle that parts decay from growth. */
import { svg } from "../dom.ts";
import type { Eigenvalue } from "../types.ts";
import { frame } from "./frame.ts";
import { complex, number } from "../format.ts";

export interface Spectrum {
  readonly values: readonly Eigenvalue[];
  readonly color: string;
  /** in front of the others, and larger */
  readonly chosen: boolean;
  readonly name: string;
}

/** Eigenvalues farther from 0 would shrink the unit circle to nothing. */
const FARTHEST = 2.5;

/** How many are beyond the frame. */
export function beyond(spectra: readonly Spectrum[]): number {
  return spectra.flatMap(({ values }) => values).filter(({ modulus }) => !(modulus <= FARTHEST))
    .length;
}

export function eigenvalues(
  spectra: readonly Spectrum[],
  label: string,
  width: number,
): SVGElement {
  const near = spectra.flatMap(({ values }) => values).filter(({ modulus }) => modulus <= FARTHEST);
  const reach = 1.1 * Math.max(1.05, ...near.flatMap(({ re, im }) => [Math.abs(re), Math.abs(im)]));
  const size = Math.min(width, 600);
  // as wide as tall inside the axes
  const axes = frame({
    width: size,
    height: Math.round(0.98 * size),
    x: { label: "real part", domain: [-reach, reach], ticks: 5 },
    y: { label: "imaginary part", domain: [-reach, reach], ticks: 5 },
    label,
  });
  const { inside, x, y } = axes;
  inside.append(
    svg("line", { x1: x(-reach), x2: x(reach), y1: y(0), y2: y(0), class: "zero" }),
    svg("line", { x1: x(0), x2: x(0), y1: y(-reach), y2: y(reach), class: "zero" }),
    svg("ellipse", { cx: x(0), cy: y(0), rx: x(1) - x(0), ry: y(0) - y(1), class: "unit-circle" }),
  );
  for (
    const { values, color, chosen, name } of [...spectra].sort((a, b) => +a.chosen - +b.chosen)
  ) {
    for (const { re, im, modulus } of values) {
      if (!(modulus <= FARTHEST)) continue;
      inside.append(svg(
        "circle",
        {
          cx: x(re),
          cy: y(im),
          r: chosen ? 6 : 4,
          fill: color,
          "fill-opacity": chosen ? 1 : 0.45,
          class: "eigenvalue",
        },
        svg("title", {}, `${name}: ${complex(re, im)}, modulus ${number(modulus)}`),
      ));
    }
  }
  return axes.svg;
}
