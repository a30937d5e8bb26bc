"""Comparisons of finished runs: which may be compared, paired tests, budgets, the page."""
