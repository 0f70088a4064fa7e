"""A process and the machine it runs on: its memory, its files, its signs of life."""
