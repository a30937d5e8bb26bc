"""A finished run that answers over HTTP; it imports starlette and uvicorn, which the extra `serve` brings."""
