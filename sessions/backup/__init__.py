"""A hall in one file, and a hall from one file: what an operator does before, and after, the worst.

The same file comes from SQLite and from PostgreSQL and goes into either (FORMAT.md beside this module).
"""
