"""A whole opening that plays by itself: a demo CA, real certificates, real sealed files, real HTTP clients."""
