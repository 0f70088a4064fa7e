"""Who asks, from where, and with what: read in one way only, and judged before any rule of the opening is."""
