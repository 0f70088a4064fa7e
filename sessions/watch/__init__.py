"""Who is alive: bidders' signs of life, this worker among others, the machine's clock, and the hall itself."""
