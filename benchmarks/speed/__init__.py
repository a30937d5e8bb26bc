"""Speed claims, measured: `python -m benchmarks.speed`."""
