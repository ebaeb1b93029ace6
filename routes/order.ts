/** What the launcher and the server's process tell each other. */
export type { Order } from "./order_schema.ts";

/**
 * Before the last line of a server's process, which says what it exits with: some drivers crash while a
 * process exits, long after everything is saved.
 */
export const LAST_WORD = "\u0004exit ";

/** Exit codes: as the command line's. */
export const OUTCOMES = { fine: 0, failed: 1, input: 2, stoppedAtOnce: 130 } as const;
