"""Published figures beside ours: `python -m benchmarks.reproduce TABLE` runs a table's rows and says whether they agree."""
