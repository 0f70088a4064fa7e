"""What the hall writes to people: which notices are due to whom, and how each is sent once."""
