/** The settings' schema: what the launcher sends is read with it. */
import { z } from "zod";
import { SETTINGS, type Settings } from "./settings.ts";

const fields = Object.fromEntries(
  Object.entries(SETTINGS).map(([name, { least, most, standard, words }]) => [
    name,
    z.int().min(least).max(most).default(standard).describe(words),
  ]),
) as Record<keyof Settings, z.ZodDefault<z.ZodInt>>;

export const settingsSchema = z.strictObject(fields);
