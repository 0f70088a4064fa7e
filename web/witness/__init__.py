"""A witness: cosigns the checkpoints of halls that it knows, if each continues the last (c2sp.org/tlog-witness)."""
