/** Schemas that several routes share. */
import { z } from "zod";
import {
  idSchema,
  runEventSchema,
  storedDatasetSchema,
  storedModelSchema,
  storedRunSchema,
} from "../src/server.ts";

/** A whole number in a query or a header. */
export function wholeText(least: number, most: number, described: string) {
  return z.string()
    .regex(/^[0-9]{1,16}$/, `a whole number from ${least} to ${most}`)
    .transform(Number)
    .refine((value) => value >= least && value <= most, {
      error: `a whole number from ${least} to ${most}`,
    })
    .meta({ description: described, type: "integer", minimum: least, maximum: most });
}

/** A number above 0 in a query. */
export function positiveText(described: string) {
  return z.string()
    .regex(/^[0-9]{0,20}\.?[0-9]{1,20}(?:e-?[0-9]{1,3})?$/i, "a number above 0")
    .transform(Number)
    .refine((value) => value > 0 && Number.isFinite(value), { error: "a number above 0" })
    .meta({ description: described, type: "number", exclusiveMinimum: 0 });
}

/** Something that is so, or not, in a query. */
export function flag(described: string) {
  return z.enum(["true", "false"])
    .transform((text) => text === "true")
    .optional()
    .meta({ description: described, type: "boolean", enum: [true, false] });
}

/** A file's name in a query: without folders, and printable. */
export const fileName = z.string().min(1).max(200)
  .regex(/^[^\p{Cc}/\\]*$/u, "a file's name, without folders and control characters")
  .meta({ description: "the file's name" });

export const datasetParams = z.strictObject({ id: idSchema("dataset") });
export const runParams = z.strictObject({ id: idSchema("run") });
export const modelParams = z.strictObject({ id: idSchema("model") });

export const Dataset = storedDatasetSchema.meta({ id: "Dataset" });
export const Run = storedRunSchema.meta({ id: "Run" });
export const Model = storedModelSchema.meta({ id: "Model" });
export const RunEvent = runEventSchema.meta({ id: "RunEvent" });

/** A part of a list, newest first. */
export function page<T extends z.ZodType>(item: T) {
  return z.strictObject({
    items: z.array(item),
    next: z.string().nullable().describe("`before` of the next part; null at the end"),
  });
}

/** Of a page: what takes a few milliseconds to write as JSON. */
const MOST_ITEMS = { dataset: 1000, run: 200, model: 500 } as const;

/** Which part of a list. */
export function pageQuery(kind: "dataset" | "run" | "model") {
  return z.strictObject({
    limit: wholeText(1, MOST_ITEMS[kind], "how many; default 100").optional(),
    before: idSchema(kind).optional().meta({ description: "only what is older than this" }),
  });
}

export const json = <T extends z.ZodType>(schema: T) => ({ "application/json": schema });

/** Media types of uploads that say no more than that they are bytes. */
export const BYTES = "application/octet-stream";
