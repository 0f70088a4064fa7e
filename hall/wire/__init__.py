"""What passes through a stream, in and out, and why it ends. Pure."""
