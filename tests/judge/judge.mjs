// Runs pairs of models on the same random inputs in ONNX Runtime and tells how far apart their outputs are.
//
// One JSON request per line on standard input, one JSON answer per line on standard output:
//
//   {"reference": PATH, "other": PATH, "inputs": [INPUT], "rounds": 2}
//   {"ok": true, "outputs": [{"name", "shape", "difference", "identical", "scale", "finite", "varies",
//                          "variation"}]}
//   {"ok": false, "stage": "load reference" | "run reference" | "load other" | "run other" | "request", "error": TEXT}
//
//   {"reference": PATH, "optimised": PATH}: writes what the runtime's optimiser makes of the model, on any machine
//   {"ok": true, "outputs": []}
//
// INPUT is {"name", "type", "shape"} and one of: nothing (noise), "low" and "high" (numbers from low to below high),
// "value" (that everywhere), "data" (the elements of one round or of all, 64-bit integers as strings).
//
// With "literal": true, every node is run as it is, without the runtime's own fusions.
//
// Every round draws new inputs. `scale` is the largest magnitude of the reference output in any round.
// `identical` is true when all bytes of the output are the same in every round.
// `varies` is true when the output differs both from element to element and from round to round by more than
// VARIATION of its scale: equal constants prove nothing about the models that computed them.
//
// It is started in the folder that holds node_modules. Without ONNX Runtime it exits with status 1.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import path from "node:path";
import process from "node:process";

const VARIATION = 1e-3;

let ort;
try {
  ort = createRequire(path.join(process.cwd(), "package.json"))("onnxruntime-node");
} catch (error) {
  console.error(`judge: ONNX Runtime is not installed here: ${error.message.split("\n")[0]}`);
  process.exit(1);
}

/** mulberry32: a small generator, so that inputs are the same on every run. */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const ARRAYS = {
  float32: Float32Array, float64: Float64Array, int32: Int32Array, int64: BigInt64Array, uint8: Uint8Array,
  int8: Int8Array, bool: Uint8Array, uint16: Uint16Array, int16: Int16Array, uint32: Uint32Array,
  uint64: BigUint64Array, float16: Uint16Array,
};

/**
 * One input tensor. Floats get noise plus an offset and an amplitude of their own for every slice along the first
 * two axes: plain noise averages out in deep networks, and every sample would give nearly the same output.
 */
function draw(spec, random, round) {
  const size = spec.shape.reduce((product, extent) => product * extent, 1);
  const data = new ARRAYS[spec.type](size);
  const isBig = spec.type.endsWith("int64");
  const put = (i, value) => { data[i] = isBig ? BigInt(value) : value; };
  if (spec.data !== undefined) {
    const start = (round * size) % spec.data.length;
    for (let i = 0; i < size; i++) put(i, spec.data[start + i]);
  } else if (spec.value !== undefined) {
    for (let i = 0; i < size; i++) put(i, spec.value);
  } else if (!spec.type.startsWith("float")) {
    const low = spec.low ?? 0, high = spec.high ?? 2;
    for (let i = 0; i < size; i++) put(i, low + Math.floor(random() * (high - low)));
  } else if (spec.high !== undefined) {
    for (let i = 0; i < size; i++) put(i, (spec.low ?? 0) + random() * (spec.high - (spec.low ?? 0)));
  } else {
    const slice = Math.max(1, size / spec.shape.slice(0, 2).reduce((product, extent) => product * extent, 1));
    let offset = 0, amplitude = 1;
    for (let i = 0; i < size; i++) {
      if (i % slice === 0) [offset, amplitude] = [2 * random() - 1, 0.5 + 2 * random()];
      data[i] = offset + amplitude * (2 * random() - 1);
    }
  }
  return new ort.Tensor(spec.type, data, spec.shape);
}

function drawAll(specs, round) {
  const random = generator(1000003 * (round + 1));
  return Object.fromEntries(specs.map((spec) => [spec.name, draw(spec, random, round)]));
}

class Trouble extends Error {
  constructor(stage, cause) {
    super(String(cause?.message ?? cause).split("\n")[0]);
    this.stage = stage;
  }
}

/** Outputs of the model, one {name: tensor} per round. */
async function outputsOf(file, request, role) {
  let session;
  try {
    session = await ort.InferenceSession.create(file, {
      logSeverityLevel: 4, intraOpNumThreads: 2, graphOptimizationLevel: request.literal ? "disabled" : "all",
    });
  } catch (error) {
    throw new Trouble(`load ${role}`, error);
  }
  try {
    const rounds = [];
    for (let round = 0; round < request.rounds; round++) {
      rounds.push(await session.run(drawAll(request.inputs, round)));
    }
    return rounds;
  } catch (error) {
    throw new Trouble(`run ${role}`, error);
  } finally {
    await session.release();
  }
}

/** Writes the model with its nodes fused; the next level would choose layouts for this processor. */
async function optimise(from, to) {
  try {
    const session = await ort.InferenceSession.create(from, {
      logSeverityLevel: 4, graphOptimizationLevel: "extended", optimizedModelFilePath: to,
    });
    await session.release();
  } catch (error) {
    throw new Trouble("load reference", error);
  }
  return [];
}

/** Compares one output over all rounds. A NaN or infinity on one side only is an infinite difference. */
function compare(name, references, others) {
  let identical = true;
  let difference = 0, scale = 0, finite = true, least = Infinity, most = -Infinity, between = 0;
  references.forEach((reference, round) => {
    const other = others[round];
    if (reference.type !== other.type) throw new Trouble("run other", `output ${name} has type ${other.type}`);
    if (String(reference.dims) !== String(other.dims)) {
      throw new Trouble("run other", `output ${name} has shape [${other.dims}], not [${reference.dims}]`);
    }
    const bytes = (tensor) => Buffer.from(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
    identical &&= ArrayBuffer.isView(reference.data) ? bytes(reference).equals(bytes(other))
      : String(reference.data) === String(other.data);
    const first = references[0];
    for (let i = 0; i < reference.data.length; i++) {
      const expected = Number(reference.data[i]), actual = Number(other.data[i]);
      if (!Number.isFinite(expected)) finite = false;
      const gap = Object.is(expected, actual) ? 0 : Math.abs(expected - actual);
      if (!(gap <= difference)) difference = Number.isNaN(gap) ? Infinity : gap;
      scale = Math.max(scale, Math.abs(expected));
      least = Math.min(least, expected);
      most = Math.max(most, expected);
      if (first.data.length === reference.data.length) {
        between = Math.max(between, Math.abs(expected - Number(first.data[i])));
      }
    }
  });
  const variation = scale > 0 ? Math.min(most - least, between) / scale : 0;
  if (!Number.isFinite(difference)) difference = Number.MAX_VALUE;
  return { name, shape: references[0].dims, difference, identical, scale, finite, varies: variation > VARIATION, variation };
}

let kept = { key: "", rounds: [] };

async function judge(line) {
  let request;
  try {
    request = { rounds: 2, ...JSON.parse(line) };
  } catch (error) {
    throw new Trouble("request", error);
  }
  if (request.optimised !== undefined) return optimise(request.reference, request.optimised);
  const key = JSON.stringify([request.reference, request.inputs, request.rounds, request.stamp, request.literal]);
  if (kept.key !== key) kept = { key, rounds: await outputsOf(request.reference, request, "reference") };
  const others = await outputsOf(request.other, request, "other");
  const names = Object.keys(kept.rounds[0]);
  for (const name of names) {
    if (!(name in others[0])) throw new Trouble("run other", `output ${name} is missing`);
  }
  const pick = (rounds, name) => rounds.map((outputs) => outputs[name]);
  return names.map((name) => compare(name, pick(kept.rounds, name), pick(others, name)));
}

for await (const line of createInterface({ input: process.stdin })) {
  if (!line.trim()) continue;
  let answer;
  try {
    answer = { ok: true, outputs: await judge(line) };
  } catch (error) {
    answer = { ok: false, stage: error.stage ?? "request", error: error.message };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
