/** Clients that ask a server for the posterior means of single trials, and check every answer. */

/** How an answer came. */
export interface Answered {
  /** milliseconds from the request to the answer's last byte */
  readonly ms: number;
  /** milliseconds that the server's device took, and that the request waited for it */
  readonly computeMs: number;
  readonly queueMs: number;
}

/** Asks for trial `i` of those that there are, one after the other. */
export type Ask = (i: number) => Promise<Answered>;

/** Trials to ask for, and what is right. */
export interface Trials {
  /** counts of each trial, `[T][N]` */
  readonly counts: readonly Uint8Array<ArrayBuffer>[];
  readonly T: number;
  readonly N: number;
  /** the wanted array of each trial, as the library computes it on the same device */
  readonly wanted: readonly Float32Array[];
}

/**
 * Spikes as a raw tensor to `/v1/models/{id}/infer`, one array back as a raw tensor.
 *
 * @param output the array's name, of which `wanted` are the numbers
 * @throws {Error} from `ask`, where an answer is another one than wanted
 */
export function askForTrials(
  address: string,
  model: string,
  output: string,
  { counts, T, N, wanted }: Trials,
): Ask {
  const url = `${address}/v1/models/${model}/infer?samples=0&outputs=${output}`;
  const headers = {
    "content-type": "application/octet-stream",
    accept: "application/octet-stream",
    "x-tensor-shape": `1,${T},${N}`,
    "x-tensor-dtype": "uint8",
  };
  return async (i) => {
    const trial = i % counts.length;
    const start = performance.now();
    const answer = await fetch(url, { method: "POST", headers, body: counts[trial] });
    const bytes = await answer.bytes();
    const ms = performance.now() - start;
    if (answer.status !== 200) {
      throw new Error(`Trial ${trial}: ${answer.status} ${new TextDecoder().decode(bytes)}`);
    }
    const numbers = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    const right = wanted[trial];
    if (numbers.length !== right.length || numbers.some((value, k) => value !== right[k])) {
      throw new Error(`Trial ${trial}: ${output} differs from what the library computes.`);
    }
    const timing = answer.headers.get("server-timing") ?? "";
    return { ms, computeMs: duration(timing, "compute"), queueMs: duration(timing, "queue") };
  };
}

function duration(timing: string, name: string): number {
  const [, text] = new RegExp(`${name};dur=([\\d.]+)`).exec(timing) ?? [];
  if (text === undefined) throw new Error(`Server-Timing has no ${name}: ${timing}`);
  return Number(text);
}

/**
 * Asks `count` times, `rate` times in a second, whether or not earlier answers are there: a server that
 * stalls is asked on, as a recording goes on.
 */
export async function atRate(ask: Ask, rate: number, count: number): Promise<Answered[]> {
  const asked: Promise<Answered>[] = [];
  const start = performance.now();
  for (let i = 0; i < count; i++) {
    const wait = start + 1000 * i / rate - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const answer = ask(i);
    answer.catch(() => {}); // thrown below, when all have been asked
    asked.push(answer);
  }
  return await Promise.all(asked);
}

/** `clients` clients, each of which asks again as soon as it is answered; `count` requests of all. */
export async function together(
  ask: Ask,
  clients: number,
  count: number,
): Promise<{ answers: Answered[]; seconds: number }> {
  const answers: Answered[] = [];
  const start = performance.now();
  let next = 0;
  const client = async () => {
    while (next < count) answers.push(await ask(next++));
  };
  await Promise.all(Array.from({ length: clients }, client));
  return { answers, seconds: (performance.now() - start) / 1000 };
}

/** The smallest number that at least a share `q` of them do not exceed. */
export function quantile(numbers: readonly number[], q: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)];
}
