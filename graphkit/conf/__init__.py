"""Configuration: typed settings, the catalog of names, and recipes. Imports neither torch nor PyG."""
