/**
 * How `shaders/weight_gradients.wgsl` is dispatched: each workgroup reads from a table which tile of which
 * output it makes, and from which share of the rows.
 */
import source from "../../../../shaders/weight_gradients.wgsl" with { type: "text" };
import type { GradientJob, Ref } from "../../recording.ts";
import { ABSENT } from "../arguments.ts";
import {
  GEMM_COLUMNS,
  GEMM_CONSTANTS,
  GEMM_LINES,
  GEMM_MEMORY,
  GEMM_STEP,
  GEMM_WORKGROUP,
} from "../gemm.ts";
import type { Numbers, Shader } from "../kernel.ts";

export const weight_gradients: Shader = {
  source,
  uses: ["gemm"],
  variant: (_, { tile }) => ({
    workgroup: GEMM_WORKGROUP,
    tile,
    constants: GEMM_CONSTANTS,
    workgroupMemory: GEMM_MEMORY + 4 * GEMM_WORKGROUP,
  }),
  groups: (_numbers, _s, _variant, entries) => entries,
  // from `work`, which the planner adds to the dispatch's numbers
  cost: ({ flopsOfTrial, bytesOfTrial, bytesStored }, { B }) => ({
    flops: flopsOfTrial * B,
    bytes: bytesOfTrial * B + bytesStored,
  }),
};

/** Workgroups for which the rows are split. */
const WANTED_GROUPS = 1024;
/** Rows of a share: fewer are not worth a workgroup, more come near where some drivers end a loop. */
const LEAST_ROWS = 64, MOST_ROWS = 65_536;
/** Partial sums of an output, unless the rows are too many: `reduce` adds them up one by one. */
const MOST_SPLITS = 64;
/** Elements of an output that is made without tiles. */
const FEW = 32;
/** Products of a share that one invocation makes for one of few outputs. */
const FEW_ROWS = 64;

/** The columns of a buffer that a tile reads. */
interface Side {
  /** where they start, or `ABSENT` for ones */
  readonly start: number;
  readonly stride: number;
  readonly slot: number;
  /** how many there are, and how far apart their gradients stand */
  readonly count: number;
  readonly outStride: number;
  /** where the sums of the columns go, too, or `ABSENT` */
  readonly sums: number;
}

/** A job as the GPU does it. */
interface Plan {
  readonly left: Side;
  readonly right: Side;
  readonly out: number;
  readonly T: number;
  /** most rows that a run can have */
  readonly rows: number;
  /** 0: tiles of products; otherwise few outputs, by so many lanes */
  readonly few: number;
}

/** A tile of a job. */
type Tile = Plan & { readonly splits: number };

const ceilTo = (n: number, step: number) => Math.ceil(n / step) * step;

/** Products that the tiles of [left][right] make, those beside the output included. */
const covered = (left: number, right: number) =>
  ceilTo(left, GEMM_LINES) * ceilTo(right, GEMM_COLUMNS / 4);

const powerOfTwo = (n: number) => 2 ** Math.ceil(Math.log2(n));

/** Part of a side. */
function part(side: Side, first: number, most: number): Side {
  const from = (start: number) => start === ABSENT ? ABSENT : start + first;
  return {
    ...side,
    start: from(side.start),
    sums: from(side.sums),
    count: Math.min(most, side.count - first),
  };
}

function isFew({ a, m, n }: GradientJob): boolean {
  return a === null || m * n <= FEW;
}

/** Whether `job`'s tiles can sum the columns of its d for `bias`. */
function adopts(job: GradientJob, bias: GradientJob): boolean {
  return !isFew(job) && bias.a === null && job.d.buffer === bias.d.buffer &&
    job.d.offset === bias.d.offset && job.dStride === bias.dStride && job.n === bias.n &&
    job.T === bias.T;
}

function plan(
  job: GradientJob,
  sums: number,
  start: (ref: Ref) => number,
  out: number,
): Plan {
  const { a, d, m, n, aStride, dStride, aSlot, T } = job;
  const left = {
    start: a ? start(a) : ABSENT,
    stride: aStride,
    slot: aSlot,
    count: m,
    outStride: n,
    sums: ABSENT,
  };
  const right = { start: start(d), stride: dStride, slot: 0, count: n, outStride: 1, sums };
  const turned = !isFew(job) && covered(n, m) < covered(m, n);
  return {
    left: turned ? right : left,
    right: turned ? left : right,
    out: start(job.out) - out,
    T,
    rows: T === 0 ? 0 : Math.ceil(d.length / dStride),
    few: isFew(job) ? powerOfTwo(Math.min(GEMM_COLUMNS, m * n)) : 0,
  };
}

/** The tiles of a job's output, each with all rows. */
function tiles(job: Plan): Plan[] {
  const found: Plan[] = [];
  for (let i = 0; i < job.left.count; i += GEMM_LINES) {
    for (let j = 0; j < job.right.count; j += GEMM_COLUMNS) {
      const left = part(job.left, i, GEMM_LINES), right = part(job.right, j, GEMM_COLUMNS);
      found.push({
        ...job,
        // the first tile of a column, or of a line, makes its sums
        left: { ...left, sums: j === 0 ? left.sums : ABSENT },
        right: { ...right, sums: i === 0 ? right.sums : ABSENT },
        out: job.out + i * job.left.outStride + j * job.right.outStride,
      });
    }
  }
  return found;
}

/** Rows of one share of a tile. */
function rowsOfShare(all: readonly Plan[]): number {
  const rows = all.reduce((sum, { few, rows }) => few ? sum : sum + rows, 0);
  return Math.min(MOST_ROWS, Math.max(LEAST_ROWS, ceilTo(rows / WANTED_GROUPS, GEMM_STEP)));
}

/** The tiles, each with the number of shares of its rows. */
function splitRows(all: readonly Plan[]): Tile[] {
  const share = rowsOfShare(all);
  const split = (tile: Plan, wanted: number, most: number): Tile => {
    const least = Math.ceil(tile.rows / MOST_ROWS);
    return { ...tile, splits: Math.max(1, least, Math.min(most, Math.ceil(wanted))) };
  };
  const products = all.filter(({ few }) => few === 0)
    .map((tile) => split(tile, tile.rows / share, MOST_SPLITS));
  // what is cheap to make asks for no partial sums that the others do not need
  const most = products.length > 0
    ? Math.max(...products.map(({ splits }) => splits))
    : MOST_SPLITS;
  const sums = all.filter(({ few }) => few > 0)
    .map((tile) => split(tile, tile.rows * tile.few / (FEW_ROWS * GEMM_WORKGROUP), most));
  return [...products, ...sums];
}

/** What one share costs, to start the longest first. */
function weight({ few, rows, left, right, splits }: Tile): number {
  return rows / splits * (few || covered(left.count, right.count));
}

function entry(tile: Tile, split: number): readonly number[] {
  const { few, left, right, out, T, splits } = tile;
  return [
    few,
    left.start,
    left.stride,
    right.start,
    right.stride,
    left.count,
    right.count,
    out,
    left.outStride,
    right.outStride,
    left.sums,
    right.sums,
    T,
    left.slot,
    right.slot,
    split,
    splits,
  ];
}

/** What a dispatch needs, for `cost`: each number read once, each partial sum stored once. */
function work(jobs: readonly GradientJob[], stored: number): Numbers {
  const read = new Map<string, number>();
  let flopsOfTrial = 0;
  for (const { a, d, m, n, T, aStride, dStride } of jobs) {
    flopsOfTrial += (a ? 2 : 1) * m * n * T;
    if (T > 0 && a) read.set(a.buffer, T * aStride);
    if (T > 0) read.set(d.buffer, T * dStride);
  }
  const elements = [...read.values()].reduce((sum, n) => sum + n, 0);
  return { flopsOfTrial, bytesOfTrial: 4 * elements, bytesStored: 4 * stored };
}

/**
 * The table that `weight_gradients` reads, and into how many partial sums the rows are split. It depends
 * on the jobs and on the plan's sizes only, and so do the bits of the gradients.
 *
 * @param start where a buffer's part starts among the real numbers
 * @param out where the gradients' buffer starts; partial sums stand at the same offsets
 * @returns also `work`: numbers for the kernel's `cost`
 */
export function gradientTable(
  jobs: readonly GradientJob[],
  start: (ref: Ref) => number,
  out: number,
): {
  readonly table: readonly number[];
  readonly entries: number;
  readonly splits: number;
  readonly work: Numbers;
} {
  const adopted = new Map<GradientJob, GradientJob>();
  for (const bias of jobs) {
    const by = jobs.find((job) => adopts(job, bias) && !adopted.has(job));
    if (by) adopted.set(by, bias);
  }
  const biases = new Set(adopted.values());
  const all = jobs.filter((job) => !biases.has(job)).flatMap((job) => {
    const bias = adopted.get(job);
    return tiles(plan(job, bias ? start(bias.out) - out : ABSENT, start, out));
  });
  const split = splitRows(all).sort((a, b) => weight(b) - weight(a));
  const entries = split.flatMap((tile) =>
    Array.from({ length: tile.splits }, (_, share) => entry(tile, share))
  );
  const stored = split.reduce(
    (sum, { left, right, splits }) => sum + left.count * right.count * splits,
    0,
  );
  return {
    table: entries.flat(),
    entries: entries.length,
    splits: Math.max(1, ...split.map(({ splits }) => splits)),
    work: work(jobs, stored),
  };
}
