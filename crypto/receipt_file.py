"""The file a bidder keeps: its receipt, and the proof that it stands in the hall's log (FORMAT.md section 7)."""

from dataclasses import dataclass
from typing import Any, Final

from crypto.encoding import b64u, canonical, check_identifier, exactly, parse_strict, unb64u
from crypto.errors import CryptoRefused, StatementRefused
from crypto.receipt import Receipt, log_leaf, verify_receipt
from crypto.signing import HallPublicKey
from crypto.tlog import Checkpoint, peek_checkpoint, read_proof

MAX_FILE: Final = 1024 * 1024
MAX_STAMPS: Final = 32
_MEMBERS: Final = ("v", "receipt", "hall_key", "proof", "stamps")


@dataclass(frozen=True, slots=True)
class Stamp:
    """An RFC 3161 token (DER) over the SHA-256 of the checkpoint's signed body, and who was asked for it."""

    authority: str
    token: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptFile:
    """A receipt by the hall of this key, with a tlog-proof once a checkpoint covers it. **Nothing is verified.**"""

    token: str
    hall: HallPublicKey
    proof: str | None = None
    stamps: tuple[Stamp, ...] = ()

    def to_bytes(self) -> bytes:
        """Return the file: canonical JSON and a line feed."""
        form = {
            "v": 1,
            "receipt": self.token,
            "hall_key": self.hall.document(),
            "proof": self.proof,
            "stamps": [{"authority": stamp.authority, "token": b64u(stamp.token)} for stamp in self.stamps],
        }
        return canonical(form) + b"\n"

    def receipt(self) -> Receipt:
        """Return the receipt if the file's own key signed it. Whose key that is, the hall has to say elsewhere."""
        return verify_receipt(self.token, self.hall)

    def checkpoint(self) -> Checkpoint | None:
        """Return the checkpoint in which the receipt stands, verified but for cosignatures; None without a proof.

        Its log must be a log of receipts of the receipt's own session; the name before that is the hall's choice.
        """
        if self.proof is None:
            return None
        receipt, proof = self.receipt(), read_proof(self.proof)
        origin = peek_checkpoint(proof.checkpoint).origin
        if not origin.endswith(f"/s/{receipt.session}/intake"):
            raise StatementRefused("malformed_receipt_file", detail="the log of another session")
        return proof.verify(log_leaf(receipt), self.hall, origin)


def read_receipt_file(data: bytes) -> ReceiptFile:
    """Return the parts of a receipt file, nothing verified; refuse another form."""
    try:
        form: Any = exactly(parse_strict(data, limit=MAX_FILE), _MEMBERS)
        texts = [form["receipt"]] if form["proof"] is None else [form["receipt"], form["proof"]]
        if form["v"] != 1 or not all(isinstance(text, str) for text in texts) or len(form["stamps"]) > MAX_STAMPS:
            raise StatementRefused("malformed_receipt_file")
        stamps = (exactly(stamp, ("authority", "token")) for stamp in form["stamps"])
        return ReceiptFile(
            token=form["receipt"],
            hall=HallPublicKey.from_document(form["hall_key"]),
            proof=form["proof"],
            stamps=tuple(Stamp(check_identifier(stamp["authority"]), unb64u(stamp["token"])) for stamp in stamps),
        )
    except (CryptoRefused, TypeError) as error:
        raise StatementRefused("malformed_receipt_file") from error
