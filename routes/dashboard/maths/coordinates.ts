/** States as a picture shows them: their own dimensions, or principal components. */
import { principalComponents, project } from "./pca.ts";

export interface Coordinates {
  readonly name: string;
  /** how many coordinates there are, 3 at most; with one, time is none of them */
  readonly width: number;
  /** the coordinates of the state in this row */
  at(row: number): number[];
  /** the coordinates of any state */
  of(state: ArrayLike<number>): number[];
  readonly columns: readonly string[];
  /** what the two axes show after a turn by so many degrees */
  labels(turn: number): [string, string];
}

/** @param rows `[R][n]` */
export function coordinates(
  rows: ArrayLike<number>,
  n: number,
  name: string,
  principal: boolean,
): Coordinates {
  const width = Math.min(3, n);
  const components = principal && n > 2 ? principalComponents(rows, n) : null;
  const columns = Array.from(
    { length: width },
    (_, i) =>
      components
        ? `PC ${i + 1} of the ${name}s (${(100 * components.share[i]).toFixed(1)} %)`
        : `${name} ${i + 1}`,
  );
  const own = (values: ArrayLike<number>, offset: number) =>
    Array.from({ length: width }, (_, i) => values[offset + i]);
  const of = (values: ArrayLike<number>, offset = 0) =>
    components ? project(components, values, offset) : own(values, offset);
  return {
    name,
    width,
    columns,
    at: (row) => of(rows, row * n),
    of,
    labels: (turn) => [
      turn % 360 === 0 || width < 3
        ? columns[0]
        : `${columns[0]}, turned to ${columns[2]} by ${turn}°`,
      columns[1] ?? "",
    ],
  };
}

/** Two of three coordinates, after a turn around the second axis by so many degrees. */
export function turned(state: readonly number[], degrees: number): [number, number] {
  const [x = 0, y = 0, z = 0] = state;
  const angle = degrees * Math.PI / 180;
  return [Math.cos(angle) * x + Math.sin(angle) * z, y];
}
