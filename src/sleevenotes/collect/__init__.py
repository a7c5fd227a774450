"""From covers anywhere to a dataset."""
