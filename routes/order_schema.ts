/** The order that the launcher sends, as the server's process reads it. */
import { z } from "zod";
import { settingsSchema } from "./settings_schema.ts";

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
