"""Encoded pictures and sound on their way between processes and to browsers."""
