"""The models' settings, names and citations, one module a task."""
