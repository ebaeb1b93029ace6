/**
 * Threads that do what would block the caller's: Comlink carries the calls, and errors arrive as the
 * classes that they left as.
 */
import { type Remote, wrap } from "comlink";
import { InputError } from "../errors.ts";
import { ConflictError, LimitError, NotFoundError, StorageError } from "./errors.ts";

/** An object on another thread: each method is a promise. */
export interface Thread<T> {
  readonly remote: Remote<T>;
  /** Ends the thread. Calls that wait are rejected. */
  close(): void;
}

/** A thread whose module exposes a `T`. */
export function threadOf<T extends object>(worker: Worker): Thread<T> {
  let fail: (error: Error) => void;
  const died = new Promise<never>((_, reject) => fail = reject);
  died.catch(() => {});
  worker.onerror = (event) => {
    event.preventDefault();
    fail(new Error(`A thread ended: ${event.message}`));
  };
  const plain = wrap<T>(worker);
  const remote = new Proxy(plain, {
    get: (target, name) => {
      const method = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
      return async (...args: unknown[]) => {
        try {
          return await Promise.race([method(...args), died]);
        } catch (error) {
          throw revive(error);
        }
      };
    },
  }) as Remote<T>;
  const close = () => {
    worker.terminate();
    fail(new Error("The thread was closed."));
  };
  return { remote, close };
}

/** A thread that starts when it is first called, or earlier where it is told to. */
export interface ThreadOnDemand<T> extends Thread<T> {
  start(): void;
}

/** A thread that nobody may ever need. */
export function threadOnDemand<T extends object>(begin: () => Worker): ThreadOnDemand<T> {
  let thread: Thread<T> | null = null;
  let closed = false;
  const start = () => {
    if (closed) throw new Error("The thread was closed.");
    return thread ??= threadOf<T>(begin());
  };
  const remote = new Proxy({}, {
    get: (_, name) => async (...args: unknown[]) => {
      const method = Reflect.get(start().remote, name) as (...args: unknown[]) => Promise<unknown>;
      return await method(...args);
    },
  }) as Remote<T>;
  const close = () => {
    closed = true;
    thread?.close();
  };
  return { remote, start: () => void (closed || start()), close };
}

/** What an error is on its way between threads: plain enough to be copied. */
export interface Packed {
  readonly error: { readonly name: string; readonly message: string; readonly detail?: string };
}

/** What `revive` undoes; to be thrown on the thread. */
export function pack(error: unknown): unknown {
  const known = error instanceof LimitError
    ? error.limit
    : error instanceof StorageError
    ? error.reason
    : error instanceof InputError
    ? ""
    : null;
  if (known === null || !(error instanceof Error)) return error;
  const packed: Packed = { error: { name: error.name, message: error.message, detail: known } };
  return packed;
}

function isPacked(error: unknown): error is Packed {
  return typeof error === "object" && error !== null && "error" in error;
}

function revive(error: unknown): unknown {
  if (!isPacked(error)) return error;
  const { name, message, detail } = error.error;
  switch (name) {
    case "NotFoundError":
      return new NotFoundError(message);
    case "ConflictError":
      return new ConflictError(message);
    case "LimitError":
      return new LimitError(message, detail as LimitError["limit"]);
    case "StorageError":
      return new StorageError(message, detail as StorageError["reason"]);
    default:
      return new InputError(message);
  }
}

/** An object whose methods throw errors that `revive` understands. */
export function packing<T extends object>(target: T): T {
  return new Proxy(target, {
    get: (object, name) => {
      const method = Reflect.get(object, name);
      if (typeof method !== "function") return method;
      return async (...args: unknown[]) => {
        try {
          return await method.apply(object, args);
        } catch (error) {
          throw pack(error);
        }
      };
    },
  });
}
