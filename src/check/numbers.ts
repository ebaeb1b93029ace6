/** Arrays of a golden file, checked before they are used. */
import { z } from "zod";
import { InputError } from "../errors.ts";
import type { ReferenceTree } from "../model/reference_names.ts";

/** A nested list; `numbers` says what may stand in it. */
export const nested = z.array(z.unknown());

function isTree(value: unknown): boolean {
  if (Array.isArray(value)) return value.flat(Infinity).every(Number.isFinite);
  return typeof value === "object" && value !== null && Object.values(value).every(isTree);
}

/** Dictionaries of dictionaries of nested lists of finite numbers: parameters, by the reference's names. */
export const tree = z.custom<ReferenceTree>(
  (value) => !Array.isArray(value) && isTree(value),
  "expected dictionaries of nested lists of finite numbers",
);

/**
 * A nested list as one array of finite numbers.
 *
 * @param name where it stands in the file, for the message
 * @param nulls "NaN" reads null as NaN: a bin that does not count
 * @throws {InputError} when the shape is another or an element is no finite number
 */
export function numbers(
  name: string,
  value: unknown,
  shape: readonly number[],
  nulls: "refused" | "NaN" = "refused",
): Float64Array {
  const out = new Float64Array(shape.reduce((product, n) => product * n, 1));
  let next = 0;
  const visit = (value: unknown, axis: number, path: string) => {
    if (axis === shape.length) {
      if (value === null && nulls === "NaN") {
        out[next++] = NaN;
        return;
      }
      if (typeof value !== "number" || !Number.isFinite(value)) {
        throw unusable(name, shape, `${JSON.stringify(value)} at ${path}`);
      }
      out[next++] = value;
      return;
    }
    if (!Array.isArray(value) || value.length !== shape[axis]) {
      const found = Array.isArray(value) ? `${value.length} elements` : JSON.stringify(value);
      throw unusable(name, shape, `${found ?? "nothing"}${path && ` at ${path}`}`);
    }
    value.forEach((element, i) => visit(element, axis + 1, `${path}[${i}]`));
  };
  visit(value, 0, "");
  return out;
}

function unusable(name: string, shape: readonly number[], found: string): InputError {
  return new InputError(
    `Cannot use ${name}: expected finite numbers of shape [${shape.join(", ")}], found ${found}.`,
  );
}

/** Lengths along the axes of a nested list, read from its first elements: `[]` for a number. */
export function shapeOf(value: unknown): number[] {
  return Array.isArray(value) ? [value.length, ...shapeOf(value[0])] : [];
}
