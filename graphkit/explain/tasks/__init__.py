"""One explainer per task, each named by the task's row in the catalog."""
