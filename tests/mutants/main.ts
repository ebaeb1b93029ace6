/**
 * `deno task mutants`: makes one small mistake after the other in the kernels (a dropped factor, an
 * off-by-one bound, a swapped index), each in a copy of the tree, and says which test notices it. Exits
 * with 0 when all are noticed.
 */
import { Command, InvalidArgumentError, Option } from "commander";
import { ALL } from "./all.ts";
import type { Mutation } from "./mutation.ts";
import { Workshop } from "./workshop.ts";

interface Flags {
  readonly only?: readonly string[];
  readonly executor?: string;
  readonly seconds: number;
}

const program = new Command("mutants")
  .description("perturb each kernel of each executor in turn, and report which tests notice")
  .addOption(
    new Option("--executor <name>", "only this executor's").choices([
      "reference",
      "wasm",
      "webgpu",
    ]),
  )
  .option("--only <kernels>", "only these kernels', separated by commas", (text) => text.split(","))
  .option(
    "--seconds <number>",
    "for the tests of one mutation, then it counts as not noticed",
    whole,
    300,
  )
  .action(async (flags: Flags) => Deno.exit(await run(chosen(flags), flags.seconds)));

function whole(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError("Expected a whole number above 0.");
}

function chosen({ only, executor }: Flags): Mutation[] {
  const kernels = new Set(ALL.map(({ kernel }) => kernel));
  for (const kernel of only ?? []) {
    if (!kernels.has(kernel)) program.error(`No kernel ${kernel}: ${[...kernels].join(", ")}.`);
  }
  return ALL.filter((mutation) =>
    (!executor || mutation.executor === executor) && (!only || only.includes(mutation.kernel))
  );
}

async function run(mutations: readonly Mutation[], seconds: number): Promise<number> {
  const workshop = await Workshop.open();
  try {
    // what fails without a mistake would notice every one
    for (const test of new Set(mutations.flatMap(({ tests }) => tests))) {
      const outcome = await workshop.test(test, seconds);
      if (outcome.kind === "passed") continue;
      console.log(`${test} must pass before anything is changed: ${outcome.why}`);
      return 1;
    }
    let survived = 0;
    for (const mutation of mutations) {
      const { executor, kernel, mistake } = mutation;
      const { noticed, by } = await workshop.tryOut(mutation, seconds);
      if (!noticed) survived++;
      const name = `${executor.padEnd(9)}  ${kernel.padEnd(25)}  ${mistake.padEnd(36)}`;
      console.log(`${name}  ${noticed ? "noticed " : "SURVIVED"}  ${by}`);
    }
    console.log(`${mutations.length - survived} of ${mutations.length} mistakes were noticed.`);
    return survived === 0 && mutations.length > 0 ? 0 : 1;
  } finally {
    await workshop.close();
  }
}

await program.parseAsync(Deno.args, { from: "user" });
