"""Sealed bids, signed statements and the hash chain: bytes, keys and certificates.

Pure: no tender rules, no clock, no network, and files only as objects the caller opened. FORMAT.md fixes every byte.
"""
