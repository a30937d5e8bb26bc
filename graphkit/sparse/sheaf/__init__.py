"""Sheaves on graphs: half-edges, transports, diffusion, small matrices."""
