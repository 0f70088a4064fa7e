"""Benches: figures as ratios, measured in one run against the tools people know."""
