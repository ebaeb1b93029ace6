/** Media types and their negotiation (RFC 9110, sections 8.3.1 and 12.5.1). */
import { InputError } from "../../errors.ts";

/** A media type; names are lower case. */
export interface MediaType {
  /** `application/json` */
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const QUOTED =
  `"(?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t \\x21-\\x7e\\x80-\\xff])*"`;
/** Longer headers are refused before a pattern reads them. */
const MOST_CHARACTERS = 4096;

/** Reads one media type or range from the start of `text`; null where there is none. */
function take(text: string): { media: MediaType; rest: string } | null {
  const type = new RegExp(`^[ \\t]*(${TOKEN}/${TOKEN})`).exec(text);
  if (!type) return null;
  let rest = text.slice(type[0].length);
  const parameters = new Map<string, string>();
  const parameter = new RegExp(`^[ \\t]*;[ \\t]*(?:(${TOKEN})=(${TOKEN}|${QUOTED}))?`);
  for (let match = parameter.exec(rest); match; match = parameter.exec(rest)) {
    rest = rest.slice(match[0].length);
    if (match[1] === undefined) continue;
    const name = match[1].toLowerCase();
    if (parameters.has(name)) return null;
    const value = match[2];
    parameters.set(
      name,
      value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value,
    );
  }
  return { media: { type: type[1].toLowerCase(), parameters }, rest };
}

/**
 * A `Content-Type`; null where it is none.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseMediaType } from "latentd";
 *
 * assert.equal(parseMediaType("application/JSON; charset=utf-8")?.type, "application/json");
 * ```
 */
export function parseMediaType(text: string): MediaType | null {
  const taken = text.length > MOST_CHARACTERS ? null : take(text);
  return taken && taken.rest.trim() === "" ? taken.media : null;
}

/** One range of an `Accept`, `*` standing for anything. */
interface Range {
  readonly type: string;
  readonly quality: number;
}

function parseAccept(text: string): Range[] {
  const malformed = () =>
    new InputError(
      `Cannot answer: expected Accept to be media types such as "application/x-npz, ` +
        `application/json;q=0.5", found ${JSON.stringify(text.slice(0, 200))}.`,
    );
  if (text.length > MOST_CHARACTERS) throw malformed();
  const ranges: Range[] = [];
  let rest = text;
  while (rest.trim() !== "") {
    const comma = /^[ \t]*,/.exec(rest);
    if (comma) {
      rest = rest.slice(comma[0].length);
      continue;
    }
    const taken = take(rest);
    if (!taken || !/^[ \t]*(,|$)/.test(taken.rest)) throw malformed();
    rest = taken.rest;
    const { type, parameters } = taken.media;
    const q = parameters.get("q") ?? "1";
    if (!/^(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)$/.test(q) || /^\*\/[^*]/.test(type)) {
      throw malformed();
    }
    ranges.push({ type, quality: Number(q) });
  }
  return ranges;
}

/** How well a range fits: 3 the type itself, 2 its kind, 1 anything, 0 not. */
function fit(range: string, type: string): number {
  if (range === type) return 3;
  if (range === "*/*") return 1;
  return range.endsWith("/*") && type.startsWith(range.slice(0, -1)) ? 2 : 0;
}

/**
 * The type to answer in: of those offered the one that `Accept` likes best, and of equals the first.
 * For each type the most specific range decides; one with `q=0` excludes it. Without `Accept` the first.
 *
 * @returns null where none is acceptable
 * @throws {InputError} where `Accept` is malformed
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { negotiate } from "latentd";
 *
 * const offered = ["application/x-npz", "application/json"];
 * assert.equal(negotiate("application/json, *" + "/*;q=0.5", offered), "application/json");
 * ```
 */
export function negotiate<T extends string>(
  accept: string | null,
  offered: readonly T[],
): T | null {
  if (accept === null || accept.trim() === "") return offered[0] ?? null;
  const ranges = parseAccept(accept);
  let best: T | null = null, bestQuality = 0;
  for (const type of offered) {
    let closest = 0, quality = 0;
    for (const range of ranges) {
      const fits = fit(range.type, type);
      if (fits > closest || fits === closest && fits > 0 && range.quality > quality) {
        closest = fits;
        quality = range.quality;
      }
    }
    if (quality > bestQuality) {
      best = type;
      bestQuality = quality;
    }
  }
  return best;
}
