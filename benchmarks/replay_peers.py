"""How fast is the replay compared with other replays on the same workloads?

Each replay runs in its own process, with the Python in which it is installed. All do
each workload in turn, for several rounds, so that a busy machine slows all of them
alike. Prints one JSON line per measurement with the ratios, and a table in Markdown. A
replay that cannot be imported is left out, and a line says so.

    python -m benchmarks.replay_peers [--python PEER=PATH ...] [--only WORKLOAD ...]
        [--output DIRECTORY]

dm-reverb needs an environment of its own, with Python 3.11:

    python3.11 -m venv reverb && reverb/bin/pip install dm-reverb==0.14.0 \
        tensorflow==2.15.1
    python -m benchmarks.replay_peers --python reverb=reverb/bin/python
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import importlib.metadata
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from benchmarks import peers, timing

PEERS = ("ours", "cpprb", "stable_baselines3", "reverb")
PACKAGES = {
    "ours": "tfagents_core",
    "stable_baselines3": "stable-baselines3",
    "reverb": "dm-reverb",
}
ROOT = pathlib.Path(__file__).parent.parent
UNITS = {
    "items_per_s": "items a second, by the clock",
    "items_per_cpu_s": "items a second of processor time",
}
_SECONDS = 0.2  # Of each measurement.
_NUM_NOT_COUNTED = 8  # Calls first, which use up what was prefetched.

Line = dict[str, Any]


class Peer:
    """A process that runs workloads on one replay."""

    def __init__(self, name: str, python: str) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.replay_peers", "--serve", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "TF_CPP_MIN_LOG_LEVEL": "2",
                "CUDA_VISIBLE_DEVICES": "",
            },
        )

    def ask(self, **request: Any) -> Line:
        """Sends a request and returns the answer, or `left_out` with the reason."""
        assert self._process.stdin and self._process.stdout
        try:
            print(json.dumps(request), file=self._process.stdin, flush=True)
            answer: Line = json.loads(self._process.stdout.readline())
        except (OSError, json.JSONDecodeError):
            return {"left_out": f"its process ended: {self._process.poll()}"}
        return answer

    def close(self) -> None:
        """Ends the process; kills it if its threads keep it alive."""
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()


def serve(name: str) -> None:
    """Answers requests from standard input until it ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # What a replay prints must not be taken for an answer.
    work: peers.Work | None = None
    for text in sys.stdin:
        request = json.loads(text)
        try:
            if "prepare" in request:
                work = None  # Frees its memory before the next is made.
                work = _prepare(name, **request["prepare"])
                answer: Line = {"items": work.items} if work else {"left_out": "none"}
            elif work is not None:
                answer = _items_per_second(work)
            else:
                answer = {"version": _version(name)}
        except ImportError as error:
            answer = {"left_out": str(error)}
        print(json.dumps(answer), file=answers, flush=True)


def _prepare(name: str, workload: str, **settings: int) -> peers.Work | None:
    module = importlib.import_module(f"benchmarks.peers.{name}")
    work: peers.Work | None = module.make(workload, peers.Settings(**settings))
    return work


def _items_per_second(work: peers.Work) -> Line:
    """Items per second over `_SECONDS`, after calls that are not counted."""
    for _ in range(_NUM_NOT_COUNTED):
        work.call()
    cpu = time.process_time()
    start = end = time.perf_counter()
    num_items = 0
    while end - start < _SECONDS:
        work.call()
        num_items += work.items
        end = time.perf_counter()
    return {
        "items_per_s": num_items / (end - start),
        "items_per_cpu_s": num_items / (time.process_time() - cpu),
    }


def _version(name: str) -> str:
    """The installed version; raises ImportError if it is not installed."""
    importlib.import_module(f"benchmarks.peers.{name}")
    if name == "ours":
        return "this checkout"
    return importlib.metadata.version(PACKAGES.get(name, name))


def compare(
    workload: str, running: list[Peer], settings: dict[str, peers.Settings], rounds: int
) -> Iterator[Line]:
    """Yields one line for each replay that supports the workload."""
    able = []
    for peer in running:
        setting = dataclasses.asdict(settings[peer.name])
        answer = peer.ask(prepare={"workload": workload, **setting})
        if "left_out" not in answer:
            able.append(peer)
    answers: dict[str, list[Line]] = {peer.name: [] for peer in able}
    for _ in range(rounds):
        for peer in able:
            answers[peer.name].append(peer.ask())
    rates = {
        name: {unit: [answer[unit] for answer in found] for unit in UNITS}
        for name, found in answers.items()
    }
    for name, rate in rates.items():
        size = settings[name]
        is_atari = workload.startswith("atari")
        line: Line = {
            "workload": workload,
            "replay": name,
            "num_items": size.num_frames if is_atari else size.num_items,
        }
        for unit in UNITS:
            line[unit] = timing.significant(statistics.median(rate[unit]))
            line[f"{unit}_range"] = [
                timing.significant(end) for end in (min(rate[unit]), max(rate[unit]))
            ]
            if "ours" in rates and name != "ours":
                ours = statistics.median(rates["ours"][unit])
                line[f"ours_by_{unit}"] = timing.significant(ours / line[unit], 3)
        yield line


def table(lines: list[Line], unit: str) -> str:
    """A Markdown table of items per second and of how many times faster ours is."""
    names = [name for name in PEERS if any(n.get("replay") == name for n in lines)]
    rows = [
        f"| {UNITS[unit]} | {' | '.join(names)} |",
        "| --- |" + " --- |" * len(names),
    ]
    for workload, words in peers.WORKLOADS.items():
        found = {n["replay"]: n for n in lines if n.get("workload") == workload}
        if found:
            cells = [_cell(found.get(name), unit) for name in names]
            rows.append(f"| {words} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _cell(line: Line | None, unit: str) -> str:
    if line is None:
        return "–"
    ratio = line.get(f"ours_by_{unit}")
    rate = f"{line[unit]:,.0f}"
    return rate if ratio is None else f"{rate} (ours {ratio:g}×)"


def _settings(arguments: argparse.Namespace) -> dict[str, peers.Settings]:
    """The same sizes for all, but fewer items for Reverb, which is slow to fill."""
    usual = peers.Settings(arguments.num_items, arguments.num_frames)
    fewer = peers.Settings(
        min(arguments.num_items, arguments.num_items_of_reverb), arguments.num_frames
    )
    return {name: fewer if name == "reverb" else usual for name in PEERS}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--serve", choices=PEERS, help=argparse.SUPPRESS)
    parser.add_argument(
        "--python", nargs="+", default=[], action="extend", metavar="PEER=PATH"
    )
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=PEERS)
    parser.add_argument(
        "--only", nargs="+", choices=peers.WORKLOADS, default=[*peers.WORKLOADS]
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--num-items", type=int, default=1_000_000)
    parser.add_argument("--num-items-of-reverb", type=int, default=100_000)
    parser.add_argument("--num-frames", type=int, default=20_000)
    parser.add_argument(
        "--output", type=pathlib.Path, help="a directory, for all of it"
    )
    return parser.parse_args()


def main() -> None:
    """Starts the processes, runs all workloads and prints the results."""
    arguments = _arguments()
    if arguments.serve:
        serve(arguments.serve)
        return
    pythons = dict(pair.split("=", 1) for pair in arguments.python)
    started = [
        Peer(name, pythons.get(name, sys.executable)) for name in arguments.peers
    ]
    versions = {peer: peer.ask() for peer in started}
    words = {peer.name: answer for peer, answer in versions.items()}
    running = [peer for peer, answer in versions.items() if "version" in answer]
    answers = (
        line
        for workload in arguments.only
        for line in compare(workload, running, _settings(arguments), arguments.rounds)
    )
    heading = {"machine": timing.machine(), "replays": words}
    directory: pathlib.Path | None = arguments.output
    if directory:
        directory.mkdir(parents=True, exist_ok=True)
    lines = []
    with open(directory / "peers.jsonl" if directory else os.devnull, "w") as file:
        for line in itertools.chain([heading], answers):
            lines.append(line)
            for output in (sys.stdout, file):
                print(json.dumps(line), file=output, flush=True)
    for peer in started:
        peer.close()
    markdown = "\n".join(table(lines, unit) for unit in UNITS)
    print(f"\n{markdown}")
    if directory:
        (directory / "peers.md").write_text(markdown)


if __name__ == "__main__":
    main()
