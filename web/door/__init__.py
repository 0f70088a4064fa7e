"""The one port: who is let in, what is handed over unopened, what is written straight to a connection."""
