/** Which of several units or trials a user wants: by index, or by a column of their table. */
import { InputError } from "../../errors.ts";
import { quote } from "./source.ts";

/** A column of a table: numbers or words, one for each row. */
export type Column = readonly string[] | Float64Array;

/** A table's columns by name. */
export type Columns = Readonly<Record<string, Column>>;

/** What a cell says, as a user would write it. */
export function cell(column: Column, row: number): string {
  return String(column[row]);
}

/**
 * Rows that a text selects, ascending.
 *
 * @param text `0-9,12` for indices from 0, or `column=value` (several values with `|`)
 * @param what names the rows in messages: `units`
 * @throws InputError where it is neither, or selects none
 */
export function selectRows(
  text: string,
  rows: number,
  columns: Columns,
  what: string,
  action: string,
): number[] {
  const chosen = text.includes("=")
    ? byColumn(text, rows, columns, what, action)
    : byIndex(text, rows, what, action);
  if (chosen.length > 0) return chosen;
  throw new InputError(`${action}: expected ${what} that fit ${quote(text)}, found none.`);
}

function byIndex(text: string, rows: number, what: string, action: string): number[] {
  const chosen = new Set<number>();
  for (const piece of text.split(",")) {
    const match = /^\s*(\d{1,9})(?:\s*-\s*(\d{1,9}))?\s*$/.exec(piece);
    const [from, to] = match ? [Number(match[1]), Number(match[2] ?? match[1])] : [NaN, NaN];
    if (!(from <= to && to < rows)) {
      throw new InputError(
        `${action}: expected ${what} like 0-${
          Math.max(0, rows - 1)
        }, counted from 0, or COLUMN=VALUE, ` +
          `found ${quote(piece.trim())}.`,
      );
    }
    for (let row = from; row <= to; row++) chosen.add(row);
  }
  return [...chosen].sort((a, b) => a - b);
}

function byColumn(
  text: string,
  rows: number,
  columns: Columns,
  what: string,
  action: string,
): number[] {
  const at = text.indexOf("=");
  const name = text.slice(0, at).trim();
  const values = text.slice(at + 1).split("|").map((value) => value.trim());
  if (!Object.hasOwn(columns, name)) {
    throw new InputError(
      `${action}: expected a column ${quote(name)} of ${what}, found ${
        Object.keys(columns).slice(0, 40).map(quote).join(", ") || "no columns"
      }.`,
    );
  }
  const column = columns[name];
  return Array.from({ length: rows }, (_, row) => row)
    .filter((row) => values.some((value) => same(column, row, value)));
}

/** 1 is 1.0, and true is 1. */
function same(column: Column, row: number, value: string): boolean {
  if (cell(column, row) === value) return true;
  if (!(column instanceof Float64Array) || value === "") return false;
  const meant = { true: 1, false: 0 }[value.toLowerCase()] ?? Number(value);
  return column[row] === meant;
}
