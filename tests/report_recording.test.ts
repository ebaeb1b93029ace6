/** What a report shows of a recording: made from a small model that was not fitted. */
import assert from "node:assert/strict";
import { DOMParser } from "linkedom";
import { type Dataset, datasetFromArrays } from "../src/data/dataset.ts";
import { createReferenceExecutor } from "../src/compute/reference.ts";
import { parseHyperparameters } from "../src/model/hyperparameters.ts";
import { initialise } from "../src/model/initialise.ts";
import { architecture } from "../src/model/layout.ts";
import type { Model } from "../src/model/model.ts";
import { drawPoisson } from "./recordings.ts";
