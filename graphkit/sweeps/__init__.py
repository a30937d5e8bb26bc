"""Sweeps: what a trial tries, who carries it out, what is kept, the winner and its page."""
