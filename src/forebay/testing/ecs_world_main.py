"""The command line of the simulated ECS service: `python -m forebay.testing.ecs_world`."""

from __future__ import annotations

import argparse
import sys
import time

from forebay.testing.ecs_world import run_seed


def main(arguments: list[str]) -> int:
    """Run what the arguments ask for; return the exit status: 0 when every seed held, else 1."""
    parser = argparse.ArgumentParser(prog="python -m forebay.testing.ecs_world", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this seed alone")
    parser.add_argument("--trace", action="store_true", help="with --seed: tell every fact and order")
    parser.add_argument("--seeds", type=int, default=300, metavar="N", help="run N seeds (default 300)")
    parser.add_argument("--from", type=int, default=0, dest="first", metavar="SEED", help="the first of them")
    parser.add_argument("--stop-at-first", action="store_true", help="end at the first failure")
    options = parser.parse_args(arguments)
    if options.seed is not None:
        return _run_one(options.seed, trace=options.trace)
    return _run_many(range(options.first, options.first + options.seeds), stop_at_first=options.stop_at_first)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _run_one(seed: int, *, trace: bool) -> int:
    story = run_seed(seed, trace=trace)
    for line in story.trace:
        _say(line)
    _say(story.failure or f"seed {seed} held: {story.steps} steps")
    return 1 if story.failure else 0


def _run_many(seeds: range, *, stop_at_first: bool) -> int:
    began_at = time.monotonic()
    count = steps = failures = 0
    for story in map(run_seed, seeds):
        count, steps = count + 1, steps + story.steps
        if story.failure is None:
            continue
        failures += 1
        _say(f"{story.failure}\n  replay: python -m forebay.testing.ecs_world --seed {story.seed} --trace")
        if stop_at_first:
            break
    _say(f"{count} seeds, {steps} steps, {failures} failed, {time.monotonic() - began_at:.1f} s")
    return 1 if failures else 0
