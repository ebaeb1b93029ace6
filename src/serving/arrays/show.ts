/** What was found, for messages: short, and safe however large or deep the value is. */

/** What a JSON value is, in a word or two. */
export function kindOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  const text = JSON.stringify(typeof value === "string" ? value.slice(0, 80) : value);
  return typeof value === "string" && value.length > 80 ? `${text}…` : text;
}

/** The same, but of an array its first few elements. */
export function show(value: unknown): string {
  if (!Array.isArray(value)) return kindOf(value);
  const most = 8;
  const few = value.slice(0, most).map(kindOf).join(",");
  return `[${few}${value.length > most ? ",…" : ""}]`;
}
