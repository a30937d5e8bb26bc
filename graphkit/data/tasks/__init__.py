"""What each task makes of a source: one builder per task, named by the task's row in the catalog of tasks."""
