"""The other side of the wire: a participant's own program, which believes the hall nothing that it can check."""
