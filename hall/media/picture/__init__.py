"""What is seen: what the public picture says, and how it is painted."""
