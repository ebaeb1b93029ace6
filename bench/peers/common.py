"""What the peers share: the exchange file, the line protocol, and the timing of steps.

A peer is started once. It reads one JSON object per line from stdin and answers each with one JSON
object on stdout, so that a harness can interleave several peers. Between commands it must not use the
CPU: the pools below are told to sleep, not to spin.

    {"cmd": "load", "file": f}            → {"name", "versions", "threads"}
    {"cmd": "verify", "file": f, "out": g} → {"losses": {...}}     arrays that were computed go to g
    {"cmd": "run", "steps": n}             → {"ms": [...]}          one figure per step
    {"cmd": "exit"}                        → (ends)

Anything that goes wrong is answered with {"error": one paragraph}; the peer stays alive. A framework that
cannot use the device that PEER_DEVICE names ("cpu", or "gpu" where latentd computes on one) adds
"absent": true.
"""

import json
import os
import sys
import time

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("KMP_BLOCKTIME", "0")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

import numpy as np  # noqa: E402  (the pools read the environment when they are loaded)

if "THREADS" in os.environ:  # before a library counts the cores that it may use
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(os.environ["THREADS"])])

ON_GPU = os.environ.get("PEER_DEVICE", "cpu") == "gpu"

UPDATE_BIAS = 0.5  # docs/model.md, section 1: the GRU's fixed bias on its update gate

_DTYPES = {"F32": np.float32, "F64": np.float64, "U8": np.uint8, "U16": np.uint16, "U32": np.uint32}
_NAMES = {np.dtype(v): k for k, v in _DTYPES.items()}


def read_tensors(path):
    """Reads a safetensors file: (arrays by name, the JSON object under the metadata key "config")."""
    with open(path, "rb") as file:
        data = file.read()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    config = json.loads(header.pop("__metadata__", {}).get("config", "{}"))
    arrays = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        flat = np.frombuffer(data[start + begin : start + end], _DTYPES[entry["dtype"]])
        arrays[name] = flat.reshape(entry["shape"])
    return arrays, config


def write_tensors(path, arrays):
    """Writes arrays by name as a safetensors file."""
    header, chunks, offset = {}, [], 0
    for name, array in arrays.items():
        array = np.ascontiguousarray(array)
        raw = array.tobytes()
        header[name] = {
            "dtype": _NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + len(raw)],
        }
        chunks.append(raw)
        offset += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + b"".join(chunks))


def split_case(arrays):
    """Separates an exchange file's arrays: (parameters, everything else).

    Parameters carry the prefix "param:" so that the two cannot be confused.
    """
    params = {k[6:]: v for k, v in arrays.items() if k.startswith("param:")}
    rest = {k: v for k, v in arrays.items() if not k.startswith("param:")}
    return params, rest


def threads():
    """How many threads a peer may use: one for each core that this process may run on."""
    return len(os.sched_getaffinity(0))


class NoDevice(Exception):
    """The framework has no device of the kind that was asked for."""


def time_steps(step, steps, wait, queued):
    """Milliseconds of each call of `step`; `wait` returns when what it is handed is there.

    A GPU works through a queue: steps that are `queued` are started one behind the other and waited for
    once, as latentd does it, and each counts as their mean.
    """
    if queued:
        start = time.perf_counter()
        for _ in range(steps):
            last = step()
        wait(last)
        return [(time.perf_counter() - start) * 1e3 / steps] * steps
    figures = []
    for _ in range(steps):
        start = time.perf_counter()
        wait(step())
        figures.append((time.perf_counter() - start) * 1e3)
    return figures


def serve(handlers):
    """Answers commands until stdin ends. Whatever a library prints goes to stderr, not to the answers."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        command = request.pop("cmd")
        if command == "exit":
            return
        try:
            answer = handlers[command](**request)
        except NoDevice as error:
            answer = {"error": str(error), "absent": True}
        except Exception as error:  # the harness decides what a failed peer means
            answer = {"error": f"Cannot {command}: {type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
