/** Where the command line writes: results to stdout, everything about their making to stderr. */

/** Two sinks of whole lines. */
export interface Streams {
  readonly stdout: (line: string) => void;
  readonly stderr: (line: string) => void;
  /** stderr is a terminal, where a progress bar can be drawn */
  readonly interactive: boolean;
}

/** The process's own. */
export const processStreams: Streams = {
  stdout: (line) => console.log(line),
  stderr: (line) => console.error(line),
  interactive: Deno.stderr.isTerminal(),
};

/** What one command prints. With `--json`, stdout holds nothing but one JSON object. */
export class Output {
  constructor(readonly streams: Streams, private readonly asJson: boolean) {}

  /** For people, about what is going on. */
  note(line: string): void {
    this.streams.stderr(line);
  }

  /** For people, about what came out. */
  result(line: string): void {
    if (this.asJson) this.streams.stderr(line);
    else this.streams.stdout(line);
  }

  /** For programs, with `--json` only: one object, on one line. NaN and infinities become null. */
  json(value: Readonly<Record<string, unknown>>): void {
    if (this.asJson) this.streams.stdout(JSON.stringify(value));
  }

  warnings(warnings: readonly string[]): void {
    for (const warning of warnings) this.note(`Warning: ${warning}`);
  }
}
