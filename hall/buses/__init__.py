"""Doorbells between workers, one way of ringing each."""
