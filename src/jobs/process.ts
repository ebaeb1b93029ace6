/** One run's process: started with the narrowest permissions, listened to, asked to stop, ended. */
import { fileURLToPath } from "node:url";
import type { Happening } from "./records.ts";
import { type LastWord, lineSchema, type Order, readLines, STOP } from "./protocol.ts";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** How a process ended. */
export interface Ending {
  /** what it said last; null where it ended without a word */
  readonly lastWord: LastWord | null;
  /** how it ended, in words */
  readonly how: string;
}

/** The most of what a process prints on stderr that is kept. */
const TAIL = 4000;

/** A process that has its order. */
export class RunProcess {
  readonly pid: number;
  readonly #process: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  #lastWord: LastWord | null = null;
  #tail = "";
  readonly #timers: ReturnType<typeof setTimeout>[] = [];
  #over = false;

  /**
   * @param executable the Deno that runs it
   * @param tell receives what happens, in order
   */
  constructor(executable: string, order: Order, private readonly tell: (what: Happening) => void) {
    const read = [order.data.path, order.folder, path("../"), path("../../wasm/build")];
    this.#process = new Deno.Command(executable, {
      args: [
        ...["run", "--quiet", "--no-prompt", "--allow-env", "--allow-sys"],
        `--allow-read=${read.join()}`,
        `--allow-write=${order.folder}`,
        path("./run_process.ts"),
      ],
      env: { NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.pid = this.#process.pid;
    this.#stdin = this.#process.stdin.getWriter();
    this.#write(JSON.stringify(order));
  }

  /** Resolves when the process is gone and everything it said is told. */
  async ended(): Promise<Ending> {
    const [status] = await Promise.all([this.#process.status, this.#listen(), this.#drain()]);
    this.#over = true;
    for (const timer of this.#timers) clearTimeout(timer);
    await this.#stdin.close().catch(() => {});
    const how = status.signal ? `ended by ${status.signal}` : `ended with code ${status.code}`;
    const tail = this.#tail.trim();
    return { lastWord: this.#lastWord, how: tail === "" ? how : `${how}: ${tail}` };
  }

  /** Asks for an end with a checkpoint; insists after a while, and then again. */
  stop(graceMs: number): void {
    if (this.#over || this.#timers.length > 0) return;
    this.#write(STOP);
    const after = (ms: number, signal: Deno.Signal) =>
      this.#timers.push(setTimeout(() => this.kill(signal), ms));
    after(graceMs, "SIGTERM");
    after(2 * graceMs, "SIGKILL");
  }

  kill(signal: Deno.Signal): void {
    if (this.#over) return;
    try {
      this.#process.kill(signal);
    } catch (error) {
      // it may be gone a moment before we hear of it
      if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** A process that is gone does not read: its end says so. */
  #write(line: string): void {
    this.#stdin.write(new TextEncoder().encode(`${line}\n`)).catch(() => {});
  }

  async #listen(): Promise<void> {
    for await (const text of readLines(this.#process.stdout)) {
      const line = parse(text);
      if (line === null) this.#keep(`${text}\n`);
      else if (line.kind === "end" || line.kind === "failed") this.#lastWord = line;
      else this.tell(line);
    }
  }

  async #drain(): Promise<void> {
    const utf8 = new TextDecoder();
    for await (const bytes of this.#process.stderr) this.#keep(utf8.decode(bytes));
  }

  #keep(text: string): void {
    this.#tail = (this.#tail + text).slice(-TAIL);
  }
}

function parse(text: string) {
  try {
    return lineSchema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}
