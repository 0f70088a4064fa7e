"""The programme process: follows openings as any citizen can, encodes once, and hands out."""
