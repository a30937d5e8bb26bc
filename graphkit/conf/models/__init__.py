"""The models' settings, names and citations, one module per task."""
