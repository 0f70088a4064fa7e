"""What goes back whatever was asked: refusals, headers, files from memory, pages kept as bytes."""
