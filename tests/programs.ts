/** Programs that a machine may have: tests that need one are skipped where it is missing. */

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. */
export async function runProgram(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd?: string,
): Promise<Ended> {
  const command = new Deno.Command(program, { args: [...args], env: { ...env }, cwd });
  const { code, stdout, stderr } = await command.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** The program's name where it starts, null where it does not. */
export async function findProgram(
  name: string,
  args: readonly string[] = ["--version"],
): Promise<string | null> {
  try {
    return (await runProgram(name, args)).code === 0 ? name : null;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** A Python that has numpy: the one that PYTHON names, or python3. */
export function findPython(): Promise<string | null> {
  return findProgram(Deno.env.get("PYTHON") ?? "python3", ["-c", "import numpy"]);
}
