"""Measures Forebay beside a bare loop, boto3 and rivals: `python -m benchmarks.run`, `python -m benchmarks.peers`."""
