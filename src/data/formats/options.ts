/** How to read a recording where its file leaves something open. */
import { InputError } from "../../errors.ts";
import { DEFAULT_ZIP_LIMITS, type ZipLimits } from "../zip.ts";

export interface LayoutOptions {
  /** Which array holds the spikes. */
  readonly key?: string;
  /**
   * What the dimensions of that array are, in the file's order: `btn` (the default) is trials, bins,
   * neurons. For cell arrays, which hold one matrix for each trial, two letters: `tn` or `nt`.
   */
  readonly axes?: string;
  /** Seconds. Spike times need it; counts take it where the file does not say. */
  readonly binWidth?: number;
  /** Cuts trials of different lengths to the shortest. */
  readonly crop?: boolean;
  /** Spike times: the event that windows are aligned to. Default: the trial's start. */
  readonly align?: string;
  /** Spike times: from and to, in seconds from the event; to is excluded. Default: the whole trial. */
  readonly window?: readonly [number, number];
  /** Spike times: windows may overlap, so that some spikes count for several trials. */
  readonly overlap?: boolean;
  /** Spike times: which units, by index (`0-9,12`) or by a column (`quality=good`). Default: all. */
  readonly units?: string;
  /** Spike times: which trials, by index or by a column. Default: all. */
  readonly trials?: string;
  /** NWB: only units of this area, electrode group or location. */
  readonly area?: string;
  /** Spike times: the column that holds the condition of each trial. Default: `condition`. */
  readonly condition?: string;
  /** NWB: time series to average over each bin, by name. */
  readonly behaviour?: readonly string[];
}

/** The same, with how much a file may ask for. */
export interface BoundedOptions extends LayoutOptions {
  readonly limits?: Partial<ZipLimits>;
}

/**
 * Refuses counts that would take more memory than a file may: a window and a bin width, or one long
 * trial, can ask for any number of them.
 *
 * @throws InputError
 */
export function requireRoom(
  [trials, T, N]: readonly [trials: number, T: number, N: number],
  bytesPerCount: number,
  { limits }: BoundedOptions,
  action: string,
): void {
  const most = limits?.maxUnpackedBytes ?? DEFAULT_ZIP_LIMITS.maxUnpackedBytes;
  if (trials * T * N * bytesPerCount <= most) return;
  throw new InputError(
    `${action}: expected counts of at most ${most} bytes, found ${trials} trials of ${T} bins and ${N} ` +
      `neurons.`,
  );
}
