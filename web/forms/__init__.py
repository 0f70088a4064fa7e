"""A tender as a form and as a file: what founds an opening."""
