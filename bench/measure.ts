/** Verifies ours against every peer, then times all of them in turns. */
import {
  Peer,
  PeerAbsent,
  type PeerDevice,
  type PeerInfo,
  type PeerName,
  PEERS,
  writeCase,
} from "./peers.ts";
import type { Task } from "./task.ts";
import { agree } from "./verify.ts";

export interface MeasureOptions {
  /** turns of everyone; each round starts with ours */
  readonly rounds: number;
  /** about how long one turn lasts */
  readonly seconds: number;
  readonly threads: number;
  readonly peers: readonly PeerName[];
  /** what the peers compute on */
  readonly peersOn: PeerDevice;
  /** for people: what is being done, and what is skipped */
  readonly say: (line: string) => void;
}

/** Milliseconds of one step. */
export interface Figures {
  readonly ms: number;
  readonly median: number;
  readonly steps: number;
}

export interface Outcome {
  readonly ours: Figures & { readonly device: string; readonly threads: number };
  readonly peers: readonly (Figures & { readonly name: string; readonly info: PeerInfo })[];
  /** fastest peer's ms / our ms; null without a peer */
  readonly ratio: number | null;
}

/** One who takes turns. */
interface Runner {
  readonly name: string;
  run(steps: number): Promise<number[]>;
}

/**
 * Runs a task on ours and on every peer that is there. While one runs the others wait: a peer for its
 * next line, our threads for their next dispatch.
 *
 * @throws {Disagreement} when a peer's results differ from ours by more than the task's tolerance
 */
export async function measure(task: Task, options: MeasureOptions): Promise<Outcome> {
  const { say } = options;
  const folder = await Deno.makeTempDir({ prefix: "latentd-bench-" });
  const peers: { peer: Peer; info: PeerInfo }[] = [];
  try {
    const ours = await task.verify();
    await writeCase(`${folder}/explicit`, task.explicit);
    await writeCase(`${folder}/timed`, task.timed);
    for (const name of options.peers) {
      const started = await start(name, options, `${folder}/timed`);
      if (!started) continue;
      peers.push(started);
      const theirs = await started.peer.verify(`${folder}/explicit`, `${folder}/${name}`);
      agree(name, ours, theirs, task.tolerance, say);
    }
    const runners: Runner[] = [
      { name: "ours", run: task.run },
      ...peers.map(({ peer }) => ({ name: peer.name, run: (n: number) => peer.run(n) })),
    ];
    const figures = await interleave(runners, options);
    const result = peers.map(({ peer, info }, i) => ({ name: peer.name, info, ...figures[i + 1] }));
    const fastest = Math.min(...result.map(({ ms }) => ms));
    return {
      ours: { device: task.device.name, threads: task.device.threads, ...figures[0] },
      peers: result,
      ratio: result.length > 0 ? fastest / figures[0].ms : null,
    };
  } finally {
    for (const { peer } of peers) await peer.close();
    await Deno.remove(folder, { recursive: true });
  }
}

async function start(
  name: PeerName,
  { threads, peersOn, say }: MeasureOptions,
  file: string,
): Promise<{ peer: Peer; info: PeerInfo } | null> {
  let peer: Peer | null = null;
  try {
    peer = new Peer(name, threads, peersOn);
    return { peer, info: await peer.load(file) };
  } catch (error) {
    await peer?.close();
    if (!(error instanceof PeerAbsent)) throw error;
    say(error.message);
    return null;
  }
}

/** Turns of about `seconds` each; the first steps (compilation, warm-up) do not count. */
async function interleave(
  runners: readonly Runner[],
  { rounds, seconds, say }: MeasureOptions,
): Promise<Figures[]> {
  const counts: number[] = [];
  for (const { name, run } of runners) {
    await run(1);
    // enough for a device that makes many steps at once to show what one costs
    const first = Math.min(...await run(2));
    const probe = first > 20 ? first : Math.min(...await run(Math.ceil(200 / first)));
    const steps = Math.max(1, Math.min(1000, Math.round(seconds * 1000 / probe)));
    counts.push(steps);
    say(`${name}: warm, ${steps} steps a turn.`);
  }
  const times: number[][] = runners.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, { run }] of runners.entries()) times[i].push(...await run(counts[i]));
  }
  return times.map((figures) => {
    figures.sort((a, b) => a - b);
    return { ms: figures[0], median: figures[figures.length >> 1], steps: figures.length };
  });
}

/** Every peer there is. */
export const ALL_PEERS = Object.keys(PEERS) as PeerName[];
