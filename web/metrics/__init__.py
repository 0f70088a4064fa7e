"""What an operator's monitoring reads of this process, and what it must not be able to read from it.

Whoever sees the figures must not learn from them how many bids there are before T0. So nothing is counted that a
bidder causes before its opening has listed who bid, no figure has a session or a bidder for a label, and those of the
process itself, which every upload moves, are coarse (docs/metrics.md).
"""
