/** What the launcher tells the server's process. */
import { z } from "zod";
import { settingsSchema } from "./settings.ts";

export const orderSchema = z.strictObject({
  host: z.string(),
  port: z.int().min(0).max(65_535),
  /** whether the host is this machine only */
  loopback: z.boolean(),
  folder: z.string(),
  device: z.string().optional(),
  threads: z.int().min(1).optional(),
  reproducible: z.boolean().optional(),
  hosts: z.array(z.string()),
  logLevel: z.enum(["fatal", "error", "warn", "info", "debug", "silent"]),
  settings: settingsSchema,
});

export type Order = Readonly<z.infer<typeof orderSchema>>;

/**
 * Before the last line of a server's process, which says what it exits with: some drivers crash while a
 * process exits, long after everything is saved.
 */
export const LAST_WORD = "\u0004exit ";

/** Exit codes: as the command line's. */
export const OUTCOMES = { fine: 0, failed: 1, input: 2, stoppedAtOnce: 130 } as const;
