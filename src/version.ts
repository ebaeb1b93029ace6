/** This version of latentd, for the record of a run. */
import project from "../deno.json" with { type: "json" };

export const VERSION: string = project.version;
