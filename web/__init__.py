"""The edge: pages, API, streams, identity, command line."""
