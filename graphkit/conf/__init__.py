"""Configuration: typed settings, the catalog of names, and recipes. Imports neither torch nor PyG.

- `setting.py`: what one setting is. `schema.py`, `models/<task>.py`: which settings there are.
- `catalog.py`: tasks and models by name, and their settings by key; `entries.py`: what its rows hold.
- `arguments.py`, `request.py`, `compose.py`: a command line taken apart, checked, made into settings; `recipe.py`: tuned ones.
- `listing.py`: the pages of `--help` and `--list`. `predict.py`, `expressiveness.py`: the settings of the other doors.
"""
