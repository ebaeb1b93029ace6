/** What a serving device tells its operator, for metrics and logs. Nothing in it is a user's data. */
import type { DeviceInfo } from "../compute/executor.ts";
import type { WorkClass } from "./schedule.ts";

/** How a request ended. */
export type Outcome = "ok" | "input" | "aborted" | "overloaded" | "timeout" | "device" | "closed";

export type ServingEvent =
  /** one launch on the device: how many requests and trials shared it */
  | {
    readonly kind: "launch";
    readonly model: string;
    readonly class: WorkClass;
    readonly requests: number;
    readonly trials: number;
    readonly samples: number;
    readonly computeMs: number;
  }
  /** one slice of a job on the device */
  | { readonly kind: "slice"; readonly computeMs: number }
  /** the end of a request for inference */
  | {
    readonly kind: "request";
    readonly model: string;
    readonly class: WorkClass;
    readonly trials: number;
    readonly outcome: Outcome;
    /** from its arrival to the start of its first launch, of its launches, and to its answer */
    readonly queueMs: number;
    readonly computeMs: number;
    readonly totalMs: number;
  }
  /** the end of a job */
  | {
    readonly kind: "job";
    readonly job: "fixed-points" | "generate";
    readonly model: string;
    readonly outcome: Outcome;
    readonly totalMs: number;
  }
  | { readonly kind: "device-opened"; readonly device: DeviceInfo; readonly openMs: number }
  | { readonly kind: "device-lost"; readonly reason: string };

/** What stands in the queues now. */
export interface ServingStatistics {
  /** requests that wait for the device or are on it, in each class */
  readonly waiting: Readonly<Record<WorkClass, number>>;
  readonly waitingTrials: number;
  readonly waitingBytes: number;
  /** jobs that run or wait */
  readonly jobs: number;
  /** programs that jobs have on the device */
  readonly jobPrograms: number;
  readonly launches: number;
  /** parameters and programs that the device keeps, in bytes; as of the last launch */
  readonly modelBytes: number;
  readonly restarts: number;
}
