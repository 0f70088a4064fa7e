"""Scheduled openings and the tender's life: a pure core and the smallest shell that keeps it. See LIFECYCLE.md."""
