/**
 * Peers: the same computation in other people's frameworks, each in a process of its own that is
 * started once and answers one JSON line for each line that it is sent (see bench/peers/common.py).
 */
import { fileURLToPath } from "node:url";
import { readSafetensors, writeSafetensors } from "../src/mod.ts";
import type { Case, Verified } from "./task.ts";

/** The scripts next to this file. */
export const PEERS = { jax: "jax_lfads.py", torch: "torch_lfads.py" } as const;
export type PeerName = keyof typeof PEERS;
export type PeerDevice = "cpu" | "gpu";

/** What a peer says of itself once it is loaded. */
export interface PeerInfo {
  readonly name: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly threads: number;
  readonly settings: Readonly<Record<string, unknown>>;
}

/** The interpreter that has the frameworks: the environment variable PYTHON, else `python3`. */
export function python(): string {
  return Deno.env.get("PYTHON") ?? "python3";
}

/** Puts a case where a peer can read it. */
export async function writeCase(path: string, { tensors, config }: Case): Promise<void> {
  await Deno.writeFile(path, writeSafetensors(tensors, { config: JSON.stringify(config) }));
}

export class Peer {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: AsyncGenerator<string>;
  readonly #errors: Promise<string>;

  /** Starts a peer's process; whether framework and device are there shows at the first command. */
  constructor(readonly name: PeerName, threads: number, device: PeerDevice) {
    try {
      this.#child = new Deno.Command(python(), {
        args: [fileURLToPath(new URL(`peers/${PEERS[name]}`, import.meta.url))],
        env: { THREADS: `${threads}`, PEER_DEVICE: device },
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
    } catch (cause) {
      if (!(cause instanceof Deno.errors.NotFound)) throw cause;
      throw new PeerAbsent(name, `there is no program "${python()}" (set PYTHON)`);
    }
    this.#writer = this.#child.stdin.getWriter();
    this.#lines = lines(this.#child.stdout);
    this.#errors = new Response(this.#child.stderr).text();
  }

  /** Prepares the timed steps of a case. */
  async load(file: string): Promise<PeerInfo> {
    return await this.#ask({ cmd: "load", file }) as unknown as PeerInfo;
  }

  /** Computes an explicit case; arrays come back through the file `out`. */
  async verify(file: string, out: string): Promise<Verified> {
    const { losses } = await this.#ask({ cmd: "verify", file, out });
    const { tensors } = readSafetensors(await Deno.readFile(out), out);
    const arrays = Object.fromEntries(
      Object.entries(tensors).map(([name, { data }]) => [name, data as ArrayLike<number>]),
    );
    return { losses: losses as Record<string, number>, arrays };
  }

  /** Makes `steps` steps; milliseconds of each. */
  async run(steps: number): Promise<number[]> {
    return (await this.#ask({ cmd: "run", steps })).ms as number[];
  }

  /** Ends the process. */
  async close(): Promise<void> {
    // A process that has already ended has closed its stdin; either way it is gone afterwards.
    await this.#writer.close().catch(() => {});
    await this.#child.status;
  }

  async #ask(request: Record<string, unknown>): Promise<Record<string, unknown>> {
    const line = new TextEncoder().encode(JSON.stringify(request) + "\n");
    const sent = await this.#writer.write(line).then(() => true, () => false);
    const { value, done } = sent ? await this.#lines.next() : { value: "", done: true };
    if (done) {
      const last = (await this.#errors).trim().split("\n").at(-1);
      if (last?.includes("No module named")) throw new PeerAbsent(this.name, `${last}`);
      throw new Error(`Cannot ${request.cmd} with ${this.name}: its process ended: ${last}`);
    }
    const answer = JSON.parse(value) as Record<string, unknown>;
    if (typeof answer.error === "string") {
      if (answer.absent) throw new PeerAbsent(this.name, answer.error);
      throw new Error(`${this.name}: ${answer.error}`);
    }
    return answer;
  }
}

/** The interpreter, the framework in it or its GPU is not there: no peer to compare with, no error. */
export class PeerAbsent extends Error {
  override name = "PeerAbsent";
  constructor(peer: PeerName, why: string) {
    super(`Skipping ${peer}: ${why}.`);
  }
}

async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + chunk).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}
