/** The command line of the server: help, errors, and `keys`, which manages who may ask. */
import { resolve } from "node:path";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { type Flags, OPTIONS, type ServerOption } from "./options.ts";
import { OUTCOMES } from "./order.ts";

/** What the command line starts. */
export interface Actions {
  serve(flags: Flags): Promise<number>;
  /** the data directory, made where it is missing */
  dataFolder(path: string): Promise<string>;
}

function optionOf({ shown, words, standard, choices, read }: ServerOption): Option {
  const option = new Option(shown, words);
  if (standard !== undefined) option.default(standard);
  if (choices) option.choices([...choices]);
  if (read) {
    option.argParser((text, before) => {
      try {
        return read(text, before);
      } catch (error) {
        throw error instanceof RangeError ? new InvalidArgumentError(error.message) : error;
      }
    });
  }
  return option;
}

function program({ serve, dataFolder }: Actions, exit: (code: number) => void): Command {
  const program = new Command("serve")
    .description("Serve training, inference and fixed points over HTTP.")
    .exitOverride()
    .configureHelp({ helpWidth: 100 })
    .showHelpAfterError("Try --help.");
  for (const option of OPTIONS) program.addOption(optionOf(option));
  program.action(async () => exit(await serve(program.opts<Flags>())));

  const keys = program.command("keys").description("who may ask: keys that clients show");
  keys.command("add <name>")
    .description("make a key; it is shown once")
    .action(async (name: string) => {
      const { addKey } = await import("./keys.ts");
      const folder = await dataFolder(program.opts<Flags>().data);
      const { id, key } = await addKey(folder, name);
      console.error(`Key ${id} for ${name}. Keep it: it is stored as a hash only.`);
      console.log(key);
    });
  keys.command("list")
    .description("list the keys' ids and names")
    .action(async () => {
      const { readKeys } = await import("./keys.ts");
      for (const { id, name, created } of await readKeys(resolve(program.opts<Flags>().data))) {
        console.log(`${id}  ${created}  ${name}`);
      }
    });
  keys.command("remove <id>")
    .description("refuse a key from now on, also where a server runs")
    .action(async (id: string) => {
      const { removeKey } = await import("./keys.ts");
      await removeKey(resolve(program.opts<Flags>().data), id);
      console.error(`Removed ${id}.`);
    });
  return program;
}

/** Does what the arguments say; the exit code. */
export async function command(args: readonly string[], actions: Actions): Promise<number> {
  let code: number = OUTCOMES.fine;
  try {
    await program(actions, (exit) => code = exit).parseAsync(args, { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : OUTCOMES.input;
    throw error;
  }
}
