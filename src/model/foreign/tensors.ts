/** Named arrays of another program, each asked for by name and shape. */
import { InputError } from "../../errors.ts";

/** Numbers in C order. */
export interface ForeignTensor {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** Arrays by their names. */
export type ForeignTensors = ReadonlyMap<string, ForeignTensor>;

/** A model that another program made, as far as its arrays tell. */
export interface Foreign<H> {
  readonly hyperparameters: H;
  /** what is not the same as it was there: sentences */
  readonly warnings: readonly string[];
}

/** Most parameters of a model, where nobody says: arrays of few numbers can have shapes that ask for many. */
export const MOST_PARAMETERS = 2 ** 27;

/** @throws {InputError} where a model would have more */
export function requireParameters(found: number, most: number, action: string): void {
  if (found <= most) return;
  throw new InputError(
    `${action}: expected a model of at most ${most} parameters, found ${found}.`,
  );
}

/** Arrays of a file, and which of them nobody has asked for. */
export class Checked {
  readonly #used = new Set<string>();

  constructor(private readonly tensors: ForeignTensors, private readonly action: string) {}

  has(name: string): boolean {
    return this.tensors.has(name);
  }

  /** The shape of an array that has to be there, with this many dimensions. */
  shape(name: string, rank: number): readonly number[] {
    const { shape } = this.#find(name, `${rank} dimensions`);
    if (shape.length !== rank) {
      this.#fail(name, `${rank} dimensions`, `shape [${shape.join(", ")}]`);
    }
    return shape;
  }

  /** @throws {InputError} where it is missing, of another shape, or not finite */
  take(name: string, shape: readonly number[]): ArrayLike<number> {
    const wanted = `shape [${shape.join(", ")}]`;
    const found = this.#find(name, wanted);
    if (found.shape.join() !== shape.join()) {
      this.#fail(name, wanted, `shape [${found.shape.join(", ")}]`);
    }
    for (let i = 0; i < found.data.length; i++) {
      if (!Number.isFinite(found.data[i])) {
        this.#fail(name, "finite numbers", `${found.data[i]} at ${i}`);
      }
    }
    this.#used.add(name);
    return found.data;
  }

  /** Says that an array is known, and not needed. */
  leave(name: string): void {
    this.#used.add(name);
  }

  /** @throws {InputError} naming arrays that nothing is known of */
  done(): void {
    const unknown = [...this.tensors.keys()].filter((name) => !this.#used.has(name));
    if (unknown.length === 0) return;
    throw new InputError(
      `${this.action}: expected arrays that the table of names has (import --table), found also ${
        listed(unknown)
      }.`,
    );
  }

  #find(name: string, wanted: string): ForeignTensor {
    return this.tensors.get(name) ??
      this.#fail(name, wanted, `only ${listed([...this.tensors.keys()])}`);
  }

  #fail(name: string, wanted: string, found: string): never {
    throw new InputError(
      `${this.action}: expected ${JSON.stringify(name)} with ${wanted}, found ${found}.`,
    );
  }
}

function listed(names: readonly string[]): string {
  const some = names.slice(0, 12).map((name) => JSON.stringify(name.slice(0, 80)));
  return `${some.join(", ") || "nothing"}${
    names.length > 12 ? `, and ${names.length - 12} more` : ""
  }`;
}
