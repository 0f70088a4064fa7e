"""Encoded pictures and sound as a file that a kill costs at most its newest fragment."""
