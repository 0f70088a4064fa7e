"""What a ceremony does beyond the rules: looks at what came, asks outside, and commands what follows from it."""
