"""Which pairs networks and color refinement separate: `python -m benchmarks.expressiveness` compares with published counts."""
