/** Requests to the server: with its key where it wants one, and its words where it refuses. */

/** One field that is wrong. */
export interface Detail {
  readonly field: string;
  readonly wanted: string;
  readonly found: string;
}

/** The server refused, or cannot be reached (status 0). The message is the server's own. */
export class ApiError extends Error {
  override name = "ApiError";
  readonly status: number;
  readonly details: readonly Detail[];
  constructor(status: number, message: string, details: readonly Detail[] = []) {
    super(message);
    this.status = status;
    this.details = details;
  }
}

export interface Asked {
  readonly method?: "GET" | "POST" | "DELETE";
  /** sent as JSON */
  readonly json?: unknown;
  readonly body?: BodyInit;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

const KEY = "latentd.key";

export const key = {
  get: (): string | null => sessionStorage.getItem(KEY),
  set: (value: string): void => sessionStorage.setItem(KEY, value),
  forget: (): void => sessionStorage.removeItem(KEY),
};

/** Asks the user for a key; null where they have none. The page sets it, tests too. */
type AskForKey = (problem: string) => Promise<string | null>;
let askForKey: AskForKey = () => Promise.resolve(null);
let asking: Promise<string | null> | null = null;

export function onKeyNeeded(ask: AskForKey): void {
  askForKey = ask;
}

/** Headers that every request has. */
export function authorization(): Record<string, string> {
  const value = key.get();
  return value === null ? {} : { authorization: `Bearer ${value}` };
}

/**
 * Sends a request and gives the answer, asking for a key where the server wants one.
 *
 * @throws {ApiError}
 */
export async function request(path: string, asked: Asked = {}): Promise<Response> {
  for (;;) {
    const used = key.get();
    const answer = await send(path, asked);
    if (answer.ok) return answer;
    const problem = await problemOf(answer);
    if (problem.status !== 401) throw problem;
    // another request may have asked meanwhile
    if (key.get() !== used && key.get() !== null) continue;
    asking ??= askForKey(used === null ? "" : problem.message).finally(() => asking = null);
    const given = await asking;
    if (given === null) throw problem;
    key.set(given);
  }
}

async function send(path: string, { method = "GET", json, body, headers, signal }: Asked) {
  const content: Record<string, string> = json === undefined
    ? {}
    : { "content-type": "application/json" };
  try {
    return await fetch(path, {
      method,
      headers: { ...content, ...headers, ...authorization() },
      body: json === undefined ? body : JSON.stringify(json),
      signal,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, "Cannot reach the server: expected an answer, found no connection.");
  }
}

async function problemOf(answer: Response): Promise<ApiError> {
  try {
    const { error, details } = await answer.json();
    return new ApiError(answer.status, String(error), Array.isArray(details) ? details : []);
  } catch {
    return new ApiError(answer.status, `The server answered ${answer.status} without a reason.`);
  }
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  return await (await request(path, { signal })).json();
}

export async function postJson<T>(path: string, json: unknown, signal?: AbortSignal): Promise<T> {
  return await (await request(path, { method: "POST", json, signal })).json();
}

/** Part of a list, newest first. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

export function list<T>(
  kind: "datasets" | "runs" | "models",
  signal?: AbortSignal,
  { limit = 50, before = null }: { limit?: number; before?: string | null } = {},
): Promise<Page<T>> {
  const query = before === null ? "" : `&before=${encodeURIComponent(before)}`;
  return getJson(`/v1/${kind}?limit=${limit}${query}`, signal);
}

/** Media types of files by their names' ends. */
export function typeOfFile(name: string): string {
  if (/\.npz$/i.test(name)) return "application/x-npz";
  if (/\.npy$/i.test(name)) return "application/x-npy";
  if (/\.(h5|hdf5|mat|nwb)$/i.test(name)) return "application/x-hdf5";
  return "application/octet-stream";
}
