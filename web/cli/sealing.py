"""The bidder's side of a sealed bid on the command line: seal, explain, slot, unseal; and the demo authority.

Passwords come from a file or a prompt, never from the arguments, which every user of the machine can read.
"""

from __future__ import annotations

import mimetypes
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from cryptography import x509

from crypto import envelope, explain
from crypto.certificates import Credential, fingerprint, load_credential, parse_certificate
from crypto.container import CheckedBid
from crypto.encoding import canonical
from crypto.errors import CertificateRefused
from crypto.header import QUOTE, SlotRole, names_id
from crypto.held import assemble_held, check_held, open_held
from crypto.opening import OpenedGroup
from crypto.rescue import Rescue, new_salt
from sessions.quote import QuoteRefused, check_quote
from sessions.verify import describe
from sessions.zipped import NotOurs
from web.cli import authority, example
from web.cli.progress import Step, progress
from web.cli.tender import TenderSheet, read_tender
from web.refused import Refused

_MEDIA = re.compile(r"[a-z0-9!#$&^_.+-]{1,63}/[a-z0-9!#$&^_.+-]{1,63}")
_MARGIN = timedelta(days=30)  # openings are postponed
_LONGEST_NAME = 200  # bytes; most file systems allow 255
_QUOTE_FAULTS = {
    "malformed_quote": "is not a JSON object of strings in canonical form",
    "quote_missing": "lacks a field the tender asks for",
    "quote_malformed": "has a value of the wrong form",
    "quote_unknown": "has a field the tender does not ask for",
    "price_not_positive": "has a price that is not above zero",
}

ExistingFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)]
PasswordFile = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="File with the key's password on its first line.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module, and those of the demo authority, to ``app``."""
    app.command("seal")(seal)
    app.command("explain")(explain_file)
    app.command("slot")(slot)
    app.command("share")(share)
    app.command("unseal")(unseal)
    app.command("example")(example.example)
    app.add_typer(authority.app, name="ca")


def seal(
    files: Annotated[
        list[Path] | None, typer.Argument(exists=True, dir_okay=False, help="Technical documents.")
    ] = None,
    *,
    tender: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="The announcement's tender.json.")],
    quote: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="The figures to be read out, JSON.")],
    sign: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Signing key: PKCS#12 or PEM.")],
    encrypt_to: Annotated[
        list[Path], typer.Option(exists=True, dir_okay=False, help="Encryption certificate; may be repeated.")
    ],
    out: Annotated[Path, typer.Option(dir_okay=False, help="The .sbid file to write.")],
    commercial: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, help="A document for the second envelope; may be repeated."),
    ] = None,
    rescue: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Also write a rescue file: the figures in the clear, keep it secret."),
    ] = None,
    password_file: PasswordFile = None,
) -> None:
    """Seal a bid: encrypt the quote and the documents to your own certificate, and sign the whole."""
    sheet = read_tender(tender)
    if commercial and sheet.envelopes == 1:
        raise Refused("This tender has one envelope only.", "Give all documents without --commercial.")
    if sheet.envelopes == 2 and not files:
        raise Refused("The first envelope is empty.", "Name at least one technical document.")
    figures = _quote(sheet, quote)
    signer = credential(sign, password_file)
    salt = None if rescue is None else new_salt()
    recipients = [parse_certificate(path.read_bytes()) for path in encrypt_to]
    for certificate in recipients:
        _warn_of_renewal(certificate, sheet.deadline)
    with ExitStack() as stack:
        sources = [
            _source(stack, path, group)
            for group, paths in (("A", files or []), ("B", commercial or []))
            for path in paths
        ]
        step = stack.enter_context(progress("sealing", sum(source.size for source in sources)))
        with _written(out) as file:
            sealed = envelope.seal(
                file,
                tender=sheet.id,
                lot=sheet.lot,
                deadline=sheet.deadline,
                quote=figures,
                files=sources,
                signer=signer,
                encrypt_to=recipients,
                envelopes=sheet.envelopes,
                tenderer=sheet.tenderer,
                escrow=sheet.escrow,
                rescue_salt=salt,
                progress=step,
            )
    if rescue is not None and salt is not None:
        spare = Rescue(header_sha256=sealed.header_sha256, salt=salt, sheet=canonical(figures))
        with os.fdopen(os.open(rescue, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as kept:
            kept.write(spare.encode())
        typer.echo(f"rescue {rescue}: whoever has it knows your figures")
    typer.echo(f"sealed {out}")
    typer.echo(f"bidder {sealed.header.bidder}")
    typer.echo(f"length {sealed.length}")
    typer.echo(f"header_sha256 {sealed.header_sha256}")
    typer.echo(f"root {sealed.root}")
    if sheet.tenderer:
        typer.echo(
            f"tenderer {sheet.tenderer.threshold} of {len(sheet.tenderer.certificates)} officers open it with you"
        )
    if sheet.escrow:
        typer.echo(f"escrow {sheet.escrow.threshold} of {len(sheet.escrow.certificates)} trustees can open your part")


def explain_file(file: ExistingFile) -> None:
    """Describe a sealed bid, a receipt, a slip or a bundle without opening it."""
    with file.open("rb") as stream:
        zipped = stream.read(4) == b"PK\x03\x04"
        lines = _bundle(file) if zipped else explain.explain(stream)
    width = max(len(line.label) for line in lines)
    for line in lines:
        typer.echo(f"{_printable(line.label):{width}}  {_printable(line.value)}")


def _bundle(file: Path) -> list[explain.Line]:
    try:
        return describe(file)
    except NotOurs as error:
        raise Refused(
            f"{file.name} is a zip file, but no archive of an opening: {error}.",
            "Use session.zip as the hall gave it.",
        ) from error


def slot(
    bid: ExistingFile,
    group: Annotated[str, typer.Option(help="A, or B for the second envelope.")] = "A",
    role: Annotated[SlotRole, typer.Option(help="Whose slot it is.")] = SlotRole.BIDDER,
    number: Annotated[int, typer.Option(min=1, help="Which of that role's slots.")] = 1,
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="File to write; standard output without it.")
    ] = None,
) -> None:
    """Take out a key slot (DER), which `openssl cms -decrypt -inform DER` can open with its holder's key."""
    with bid.open("rb") as file:
        slots = envelope.read_header(file).header.group(group).slots_of(role)
    if number > len(slots):
        raise Refused(
            f"This bid has {len(slots)} slots of the {role} in group {group}.", "List them with `kaibiao explain`."
        )
    data = slots[number - 1].data
    if out is None:
        sys.stdout.buffer.write(data)
    else:
        out.write_bytes(data)
        typer.echo(f"slot {out}")


def share(
    bid: ExistingFile,
    *,
    key: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Your encryption key: PKCS#12 or PEM.")],
    password_file: PasswordFile = None,
) -> None:
    """Try your share of a bid's key, as a trustee or the tenderer's officer: does it open, is it the committed one?

    Nothing of it is shown, kept or sent. That the shares belong together shows only when they come together.
    """
    holder = credential(key, password_file)
    with bid.open("rb") as file:
        header = envelope.check_sealed(file).container.header
    mine = fingerprint(holder.certificate)
    own = [(group.id, slot) for group in header.groups for slot in group.slots if slot.place and slot.cert == mine]
    if not own:
        raise Refused("This bid has no share for this certificate.", "Use the certificate the tender names.")
    for group, held_slot in own:
        place = check_held(header, group, held_slot.role, holder)
        which = f"{held_slot.role} share {place.index} of {place.count}, {place.threshold} needed"
        typer.echo(f"group {group}: {which}: opens and is the committed one")


def unseal(
    bid: ExistingFile,
    *,
    key: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Encryption key: PKCS#12 or PEM.")],
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for what was sealed.")],
    tenderer_key: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, help="A tenderer's officer's key, PEM or without password."),
    ] = None,
    password_file: PasswordFile = None,
) -> None:
    """Open your own sealed bid offline: check all of it, then write the quote and every document.

    A bid that opens only together with the tenderer's key needs enough of its officers' keys too.
    """
    holder = credential(key, password_file)
    officers = [credential(path, None) for path in tenderer_key or []]
    with bid.open("rb") as file:
        checked = envelope.check_sealed(file)
        out.mkdir(parents=True, exist_ok=True)
        total = sum(part.plain_len for part in checked.container.header.parts)
        with progress("opening", total) as step:
            written = [
                path for group in _groups(file, checked, holder, officers) for path in _write_group(group, out, step)
            ]
    for path in written:
        typer.echo(f"wrote {path}")


def _groups(
    file: BinaryIO, checked: CheckedBid, holder: Credential, officers: Sequence[Credential]
) -> Iterator[OpenedGroup]:
    header = checked.container.header
    for group in header.groups:
        secret = envelope.unlock(checked.container, group.id, holder)
        shares = [open_held(header, group.id, SlotRole.TENDERER, officer) for officer in officers]
        second = assemble_held(header, group.id, SlotRole.TENDERER, shares) if shares else None
        yield envelope.open_group(file, checked.container, group.id, secret, second)


def _write_group(group: OpenedGroup, out: Path, step: Step) -> Iterator[Path]:
    names = group.names()
    taken = {path.name for path in out.iterdir()}
    for part in group.container.header.parts_of(group.group):
        if part.id == names_id(group.group):
            continue
        name = "quote.json" if part.id == QUOTE else _safe_name(part.id, names.get(part.id, part.id))
        if name in taken:
            name = f"{part.id}-{name}"
        taken.add(name)
        path = out / name
        with _written(path) as target:

            def write(piece: memoryview, target: BinaryIO = target) -> None:
                target.write(piece)
                step(len(piece))

            group.copy(part.id, write)
        yield path


def _safe_name(part: str, name: str) -> str:
    # A sealed name is a label, not a path: FORMAT.md section 2. It has no separators; the rest is taken care of here.
    if name.startswith(".") or len(name.encode()) > _LONGEST_NAME:
        return f"{part}{Path(name).suffix[:16]}"
    return name


def _quote(sheet: TenderSheet, path: Path) -> dict[str, str]:
    try:
        return dict(check_quote(sheet.fields, sheet.canonical_quote(path)))
    except QuoteRefused as error:
        where = f", field {error.field}" if error.field else ""
        wanted = "; ".join(f"{field.id} ({field.kind})" for field in sheet.fields)
        raise Refused(f"The quote {_QUOTE_FAULTS[error.code]}{where}.", f"The tender asks for: {wanted}.") from error


def _source(stack: ExitStack, path: Path, group: str) -> envelope.Source:
    guessed = mimetypes.guess_type(path.name)[0] or ""
    media = guessed if _MEDIA.fullmatch(guessed) else "application/octet-stream"
    stream = stack.enter_context(path.open("rb"))
    return envelope.Source(name=path.name, media=media, stream=stream, size=path.stat().st_size, group=group)


def _warn_of_renewal(certificate: x509.Certificate, deadline: str) -> None:
    # Renewing a certificate can destroy the old key on its token, and with it the way to open the bid.
    ends = certificate.not_valid_after_utc
    if ends < datetime.fromisoformat(deadline) + _MARGIN:
        typer.echo(
            f"Your encryption certificate ends on {ends:%Y-%m-%d}, soon after the opening or before it.", err=True
        )
        typer.echo("If you renew it before, keep the old key, or seal again to the new certificate.", err=True)


def credential(path: Path, password_file: Path | None) -> Credential:
    """Return the key in a PKCS#12 or PEM file, asking for its password only when it has one."""
    data = path.read_bytes()
    if password_file is not None:
        lines = password_file.read_bytes().splitlines()
        return load_credential(data, lines[0] if lines else b"")
    try:
        return load_credential(data)
    except CertificateRefused as error:
        if error.code != "wrong_password":
            raise
        if not sys.stdin.isatty():
            raise Refused(f"{path.name} needs a password.", "Put it into a file and give --password-file.") from error
    return load_credential(data, typer.prompt(f"Password of {path.name}", hide_input=True, err=True).encode())


@contextmanager
def _written(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name only when it is complete."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".kaibiao-")
    unfinished = Path(name)
    try:
        with open(handle, "wb") as file:
            yield file
    except BaseException:
        unfinished.unlink()
        raise
    unfinished.replace(path)


def _printable(text: str) -> str:
    # What a stranger wrote must not steer the terminal.
    return "".join(symbol if symbol.isprintable() else "�" for symbol in text)
