"""Where a hall keeps its facts: a database for what is small, a folder for what is large."""
