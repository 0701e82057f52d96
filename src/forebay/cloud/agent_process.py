"""The local ECS agent as a process of its own: prints its addresses as one JSON line and serves until told to stop."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys

from forebay.cloud.agent_ecs import AgentTask
from forebay.cloud.ecs_agent import EcsAgent


async def serve(port: int, tasks: list[AgentTask], ecs_timeout_s: float) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with EcsAgent(tasks, port=port, ecs_timeout_s=ecs_timeout_s) as agent:
        sys.stdout.write(json.dumps(agent.addresses()) + "\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> None:
    """Run the agent as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m forebay.cloud.ecs_agent", description="a local ECS agent")
    parser.add_argument("--port", type=int, default=0, help="0 (the default) lets the system choose")
    parser.add_argument("--tasks", type=int, default=1, help="how many tasks it serves: worker-1, worker-2, …")
    parser.add_argument("--ecs-timeout", type=float, default=4.0, help="seconds after which it answers 504")
    options = parser.parse_args()
    tasks = [AgentTask(f"worker-{number}") for number in range(1, options.tasks + 1)]
    asyncio.run(serve(options.port, tasks, options.ecs_timeout))
