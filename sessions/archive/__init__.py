"""A finished opening as one file that a stranger can check without us (ARCHIVE.md), and the papers to read in it."""
