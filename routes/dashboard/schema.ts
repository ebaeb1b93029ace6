/** What the server's own description says of the fields that it takes. */
import { getJson } from "./api.ts";
import { count } from "./format.ts";

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
  readonly anyOf?: readonly Schema[];
  readonly $ref?: string;
}

interface Described {
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** A parameter of a query. */
export interface Parameter {
  readonly name: string;
  readonly schema: Schema;
}

interface Operation {
  readonly parameters?: readonly (Parameter & { readonly in: string })[];
  readonly requestBody?: {
    readonly content: Readonly<Record<string, { readonly schema: Schema }>>;
  };
}

let described: Promise<Described> | null = null;

function load(): Promise<Described> {
  described ??= getJson("/openapi.json");
  described.catch(() => described = null);
  return described;
}

/** The parameters that a POST takes in its query. */
export async function queryOf(path: string): Promise<readonly Parameter[]> {
  const { paths } = await load();
  return (paths[path]?.post?.parameters ?? []).filter((parameter) => parameter.in === "query");
}

/** The schema of the JSON that a POST takes. */
export async function schemaOf(path: string): Promise<Schema> {
  const document = await load();
  const found = document.paths[path]?.post?.requestBody?.content["application/json"]?.schema;
  if (!found) throw new Error(`The server does not describe what ${path} takes.`);
  return resolved(found, document);
}

/** A schema instead of its name. */
function resolved(schema: Schema, document: Described): Schema {
  const name = schema.$ref?.split("/").at(-1);
  const own = name === undefined ? schema : document.components.schemas[name] ?? schema;
  const options = own.oneOf ?? own.anyOf;
  return options ? { ...own, oneOf: options.map((one) => resolved(one, document)) } : own;
}

/** A description without the default that it ends with, and that default. */
export function splitDefault(description = ""): { words: string; otherwise: string | null } {
  const found = /^(.*?) ?\(default (.*)\)$/.exec(description) ??
    /^(.*?)(?:[;,] |^)default (.*)$/.exec(description) ??
    /^(.*); (\S+|the [\w' ]+)$/.exec(description);
  return found
    ? { words: found[1], otherwise: found[2].replaceAll('"', "") }
    : { words: description, otherwise: null };
}

/** "1 to 4096", "above 0, at most 1" */
export function bounds(schema: Schema): string {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
  const from = exclusiveMinimum ?? minimum, to = exclusiveMaximum ?? maximum;
  // what JSON can count to is no bound that anyone meets
  const far = to === undefined || to >= Number.MAX_SAFE_INTEGER;
  if (minimum !== undefined && maximum !== undefined && !far) {
    return `${plain(minimum)} to ${plain(maximum)}`;
  }
  const low = from === undefined
    ? ""
    : exclusiveMinimum === undefined
    ? `at least ${plain(from)}`
    : `above ${plain(from)}`;
  const high = far
    ? ""
    : exclusiveMaximum === undefined
    ? `at most ${plain(to)}`
    : `below ${plain(to)}`;
  return [low, high].filter((part) => part !== "").join(", ");
}

function plain(value: number): string {
  return Number.isInteger(value) ? count(value) : String(value);
}
