"""What acts before any model: embeddings that need no training, sparser graphs, repaired graphs."""
