"""Whom this hall believes, asks and writes to beyond its own machine, and how."""
