/**
 * What the server and a run's process say to each other, a line of JSON each. The process reads its order
 * and then, at most, "stop" from stdin; the end of stdin tells it that the server is gone.
 */
import { z } from "zod";
import { hyperparametersSchema } from "../model/hyperparameters.ts";
import { DEVICES, happeningSchema } from "./records.ts";

/** What a run's process is to do. */
export const orderSchema = z.strictObject({
  /** the run's folder */
  folder: z.string(),
  /** the dataset's file, the name it goes by, and the hash of the file */
  data: z.strictObject({ path: z.string(), name: z.string(), sha256: z.string() }),
  hyperparameters: hyperparametersSchema,
  device: z.enum(DEVICES),
  /** of the wasm device; null for the default */
  threads: z.int().min(1).nullable(),
  seed: z.int().min(0),
  starts: z.int().min(1),
  reproducible: z.boolean(),
  report: z.boolean(),
});

export type Order = Readonly<z.infer<typeof orderSchema>>;

/** The last word of a process. */
const lastWords = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("end"),
    outcome: z.enum(["completed", "stopped"]),
    step: z.int().min(0),
    /** why it was completed before its last step */
    reason: z.string().nullable(),
  }),
  z.strictObject({ kind: z.literal("failed"), message: z.string() }),
]);

export type LastWord = Readonly<z.infer<typeof lastWords>>;

/** A line of a process. */
export const lineSchema = z.union([happeningSchema, lastWords]);

export type Line = Readonly<z.infer<typeof lineSchema>>;

export const STOP = "stop";

/** The lines of a stream, without their ends. A last line without an end is cut off, and is left out. */
export async function* readLines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(decoder())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

function decoder(): TransformStream<Uint8Array, string> {
  const utf8 = new TextDecoder();
  return new TransformStream({
    transform: (bytes, controller) => controller.enqueue(utf8.decode(bytes, { stream: true })),
  });
}
