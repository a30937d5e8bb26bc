"""Which graphs a network, or color refinement, tells apart."""
