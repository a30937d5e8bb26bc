"""Ranking: the best columns of each row, and the triples that pairwise losses are trained on."""
