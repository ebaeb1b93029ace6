/** The process that looks for a GPU, so that a driver that crashes cannot take the server down. */
import { autoChoice } from "../compute/devices.ts";
import type { Hardware } from "./options.ts";

const { adapter } = await autoChoice();
const hardware: Hardware = adapter ? "gpu" : "cpu";
console.log(hardware);
Deno.exit(0);
