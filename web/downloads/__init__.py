"""What a reader takes away: the bundle, the papers, the read-out sheet. Made once and kept where it can be."""
