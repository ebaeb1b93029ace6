/** What the server's own description says of the fields that it takes. */
import { getJson } from "./api.ts";

/** As much of JSON Schema as forms need. */
export interface Schema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly oneOf?: readonly Schema[];
}

let document: Promise<{ components: { schemas: Record<string, Schema> } }> | null = null;

/** A named schema of the server's OpenAPI document. */
export async function schemaOf(name: string): Promise<Schema> {
  document ??= getJson("/openapi.json");
  document.catch(() => document = null);
  const found = (await document).components.schemas[name];
  if (!found) throw new Error(`The server does not describe ${name}.`);
  return found;
}

/** A description without the default that it ends with, and that default. */
export function splitDefault(description = ""): { words: string; otherwise: string | null } {
  const found = /^(.*?)[;,]?\s*\(?(?:default |; ?)"?([^")]*)"?\)?$/.exec(description) ??
    /^(.*); ([^;]+)$/.exec(description);
  return found
    ? { words: found[1].trim(), otherwise: found[2].trim() }
    : { words: description, otherwise: null };
}

/** "1 to 4096", "above 0, at most 1" */
export function bounds(schema: Schema): string {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
  const from = exclusiveMinimum ?? minimum, to = exclusiveMaximum ?? maximum;
  // what JSON can count to is no bound that anyone meets
  const far = to === undefined || to >= Number.MAX_SAFE_INTEGER;
  if (minimum !== undefined && maximum !== undefined && !far) return `${minimum} to ${maximum}`;
  const low = from === undefined
    ? ""
    : exclusiveMinimum === undefined
    ? `at least ${from}`
    : `above ${from}`;
  const high = far ? "" : exclusiveMaximum === undefined ? `at most ${to}` : `below ${to}`;
  return [low, high].filter((part) => part !== "").join(", ");
}
