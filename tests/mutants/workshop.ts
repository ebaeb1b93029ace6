/** A copy of the tree, in which one file at a time is changed and tested. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Mutation } from "./mutation.ts";

/** The repository. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** What tests of kernels read; `wasm` with what is built. */
const PARTS = ["deno.json", "deno.lock", "src", "tests", "wasm", "shaders"];

async function copy(from: string, to: string): Promise<void> {
  const { isDirectory } = await Deno.stat(from);
  if (!isDirectory) return await Deno.copyFile(from, to);
  await Deno.mkdir(to);
  for await (const { name } of Deno.readDir(from)) await copy(join(from, name), join(to, name));
}

/** How a test file ended. */
type Outcome =
  | { readonly kind: "passed" }
  | { readonly kind: "failed"; readonly why: string }
  /** it did not come to a judgement: out of time, or nothing that can run */
  | { readonly kind: "broken"; readonly why: string };

/** What says that the changed text is no program: then the tests have noticed nothing. */
const NO_PROGRAM = /SyntaxError|ReferenceError|Cannot compile kernel/;

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

async function command(args: readonly string[], cwd: string, seconds?: number) {
  const signal = seconds === undefined ? undefined : AbortSignal.timeout(1000 * seconds);
  const { code, stdout, stderr } = await new Deno.Command(args[0], {
    args: args.slice(1),
    cwd,
    // the same examples on every run, no colours, and no test left out for want of an adapter
    env: { CI: "1", FC_SEED: "20261123", NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    signal,
  }).output();
  return { code, output: text(stdout) + text(stderr), late: signal?.aborted ?? false };
}

export class Workshop {
  private constructor(private readonly folder: string) {}

  static async open(): Promise<Workshop> {
    const folder = await Deno.makeTempDir({ prefix: "latentd-mutants-" });
    for (const part of PARTS) await copy(join(ROOT, part), join(folder, part));
    const workshop = new Workshop(folder);
    await workshop.#build();
    return workshop;
  }

  async close(): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }

  /** Runs one test file. */
  async test(file: string, seconds: number): Promise<Outcome> {
    const { code, output, late } = await command(
      [
        Deno.execPath(),
        ...["test", "--no-check", "--fail-fast", "--preload", "tests/setup.ts", "-A", file],
      ],
      this.folder,
      seconds,
    );
    if (late) return { kind: "broken", why: `not over after ${seconds} s` };
    if (code === 0) return { kind: "passed" };
    const failed = /^ *(.*) \.\.\. FAILED/m.exec(output)?.[1];
    const broken = NO_PROGRAM.exec(output)?.[0];
    if (failed === undefined || broken !== undefined) {
      const error = /^.*error.*$/m.exec(output)?.[0] ?? `it ended with ${code}`;
      return { kind: "broken", why: broken ?? error };
    }
    return { kind: "failed", why: failed };
  }

  /** Makes a mistake, runs its tests until one notices, and takes the mistake back. */
  async tryOut(mutation: Mutation, seconds: number): Promise<{ noticed: boolean; by: string }> {
    const { file, find, replace, tests, executor } = mutation;
    const path = join(this.folder, file);
    const right = await Deno.readTextFile(path);
    const times = right.split(find).length - 1;
    if (times !== 1) {
      return {
        noticed: false,
        by: `${file} has ${times} times, not once: ${JSON.stringify(find)}`,
      };
    }
    const wrong = right.replace(find, () => replace);
    if (wrong === right) return { noticed: false, by: "the change changes nothing" };
    await Deno.writeTextFile(path, wrong);
    try {
      if (executor === "wasm") await this.#build();
      for (const test of tests) {
        const outcome = await this.test(test, seconds);
        if (outcome.kind === "failed") return { noticed: true, by: outcome.why };
        if (outcome.kind === "broken") return { noticed: false, by: outcome.why };
      }
      return { noticed: false, by: `no test of ${tests.join(", ")}` };
    } catch (error) {
      return { noticed: false, by: error instanceof Error ? error.message : String(error) };
    } finally {
      await Deno.writeTextFile(path, right);
    }
  }

  async #build(): Promise<void> {
    const { code, output } = await command(
      [Deno.execPath(), "run", "--allow-read", "--allow-write", "--allow-env", "wasm/build.ts"],
      this.folder,
    );
    if (code !== 0) throw new Error(`it does not build: ${output.trim().split("\n").at(-1)}`);
  }
}
