/** Fixed points in words and numbers. */
import { type Child, h } from "../dom.ts";
import { complex, count, fixed, number } from "../format.ts";
import { table } from "../parts/page.ts";
import type { Eigenvalue, FixedPoint, FixedPoints } from "../types.ts";

/** More rows than this nobody reads. */
const ROWS = 40;

const unit = (binWidth: number | null) => binWidth === null ? "bins" : "s";

function timeConstant({ timeConstant }: Eigenvalue): string {
  if (timeConstant === null) return "–";
  return timeConstant < 0 ? `${number(-timeConstant, 3)}, growing` : number(timeConstant, 3);
}

function rotation({ hz, angle }: Eigenvalue): string {
  const turn = Math.abs(angle);
  if (turn < 1e-9) return "–";
  return hz === null ? `${number(turn, 3)} rad/bin` : `${number(Math.abs(hz), 3)} Hz`;
}

/** All fixed points; choosing one shows it everywhere. */
export function pointsTable(
  { fixedPoints, binWidth }: FixedPoints,
  choose: (k: number) => void,
): Child {
  if (fixedPoints.length === 0) return null;
  const rows = fixedPoints.slice(0, ROWS).map((point, k) => {
    const [leading] = point.eigenvalues;
    const pick = h("input", {
      type: "radio",
      name: "fixed-point",
      value: k,
      "aria-label": `Show fixed point ${k + 1}`,
      change: () => choose(k),
    });
    pick.checked = k === 0;
    return [
      h("span", { class: "pick" }, pick, String(k + 1)),
      point.class,
      number(point.q, 2),
      leading ? complex(leading.re, leading.im) : "–",
      leading ? fixed(leading.modulus, 4) : "–",
      leading ? timeConstant(leading) : "–",
      leading ? rotation(leading) : "–",
      count(point.members),
    ];
  });
  return table(
    `Slowest first${
      fixedPoints.length > ROWS ? `, ${ROWS} of ${fixedPoints.length}` : ""
    }; of each its largest eigenvalue`,
    ["#", "class", "q", "λ", "|λ|", `time constant (${unit(binWidth)})`, "rotation", "candidates"],
    rows,
  );
}

/** Every eigenvalue of one of them. */
export function modesTable(point: FixedPoint, k: number, binWidth: number | null): HTMLElement {
  return h(
    "details",
    {},
    h("summary", {}, `All ${point.eigenvalues.length} eigenvalues of fixed point ${k + 1}`),
    table(
      `Eigenvalues of fixed point ${k + 1}, ${point.class}`,
      ["λ", "|λ|", `time constant (${unit(binWidth)})`, "rotation"],
      point.eigenvalues.map((value) => [
        complex(value.re, value.im),
        fixed(value.modulus, 4),
        timeConstant(value),
        rotation(value),
      ]),
    ),
  );
}
