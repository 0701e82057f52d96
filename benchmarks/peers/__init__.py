"""One script for each rival: a no-op job, declared and sent as its own manual says. `python -m benchmarks.peers`."""
