"""Transparency logs as C2SP writes them down (FORMAT.md section 12): notes, checkpoints, cosignatures, proofs, tiles.

A log is a tree of RFC 6962 that only grows. Its *checkpoint* is the root at one size, signed. A *witness* cosigns a
checkpoint after it has seen that the new tree continues the one it cosigned last. A *proof* takes one entry to a
checkpoint.
"""

from crypto.tlog.checkpoints import Checkpoint, open_checkpoint, peek_checkpoint, sign_checkpoint
from crypto.tlog.notes import Note, SignatureLine, VerifierKey, read_note
from crypto.tlog.policies import Policy, Witness, read_policy
from crypto.tlog.proofs import Proof, read_proof, write_proof
from crypto.tlog.requests import AddCheckpoint, read_request, write_request
from crypto.tlog.tiles import TilePath, entry_bundle, read_entry_bundle, read_tile_path
from crypto.tlog.tree import Tree
from crypto.tlog.witnesses import WitnessKey, WitnessSecret, cosign, cosignatures, verify_cosignature, with_signatures

__all__ = [
    "AddCheckpoint",
    "Checkpoint",
    "Note",
    "Policy",
    "Proof",
    "SignatureLine",
    "TilePath",
    "Tree",
    "VerifierKey",
    "Witness",
    "WitnessKey",
    "WitnessSecret",
    "cosign",
    "cosignatures",
    "entry_bundle",
    "open_checkpoint",
    "peek_checkpoint",
    "read_entry_bundle",
    "read_note",
    "read_policy",
    "read_proof",
    "read_request",
    "read_tile_path",
    "sign_checkpoint",
    "verify_cosignature",
    "with_signatures",
    "write_proof",
    "write_request",
]
