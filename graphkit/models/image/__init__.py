"""Models for images: one file per model or family of models; `base` says what the task asks of them."""
