"""Results that check themselves: a run's figures with its predictions in one file, scored again from anybody's own data."""
