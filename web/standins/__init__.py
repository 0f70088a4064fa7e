"""Authorities on this machine, for demonstrations and tests: honest ones that nobody should trust."""
