"""``kaibiao ca``: a certificate authority in a folder, for demonstrations and tests only.

The folder holds the root, its key in the clear, and ``index.json`` with what was issued and revoked.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from crypto import authority, responder
from crypto.authority import Algorithm, Authority
from crypto.certificates import PrivateKey, Usage, load_credential
from crypto.timestamping import issue_authority
from sessions.clock import SystemClock
from web.refused import Refused
from web.standins.responder import Responder

app = typer.Typer(help="A certificate authority for demonstrations and tests.", no_args_is_help=True)

_ROOT, _KEY, _INDEX, _CRL, _TSA = "root.pem", "root.key", "index.json", "crl.pem", "tsa.pem"
_UNSAFE = re.compile(r"[^\w.-]+")
Folder = Annotated[Path, typer.Argument(metavar="DIR", file_okay=False)]


@app.command()
def init(
    folder: Folder, name: Annotated[str, typer.Option(help="Name of the authority.")] = "Kaibiao demo CA"
) -> None:
    """Make a new authority in DIR."""
    if (folder / _KEY).exists():
        raise Refused(f"{folder} already holds an authority.", "Choose another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    made = authority.create(name, at=_now())
    _write_private(folder / _KEY, _pem_key(made.key))
    (folder / _ROOT).write_bytes(made.certificate.public_bytes(Encoding.PEM))
    _write_index(folder, {"issued": {}, "revoked": {}})
    typer.echo(f"cert {folder / _ROOT}")
    typer.echo(f"key {folder / _KEY}")


@app.command()
def issue(
    folder: Folder,
    name: Annotated[str, typer.Option(help="Name of the organisation.")],
    kind: Annotated[Usage, typer.Option(help="What the certificate is for; a bidder needs one of each.")],
    alg: Annotated[Algorithm, typer.Option(help="Kind of key.")] = Algorithm.P256,
    identifier: Annotated[
        str | None, typer.Option(help="Organisation number; made up from the name without it.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Validity in days.")] = 365,
    p12: Annotated[
        str | None,
        typer.Option(
            metavar="PASSWORD",
            help="Also write a PKCS#12 file. Every user of this machine can read a password given here: "
            "better --p12-file.",
        ),
    ] = None,
    p12_file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The same, with the password on a file's first line; `-` asks for it."),
    ] = None,
    ocsp: Annotated[str, typer.Option(metavar="URL", help="Where `ca ocsp` answers; the certificate names it.")] = "",
    crl_url: Annotated[str, typer.Option(metavar="URL", help="Where the revocation list is.")] = "",
) -> None:
    """Issue a certificate with a new key: `cert`, `key` and `pem` (both together), and `p12` if asked."""
    if p12_file is not None:
        p12 = _password(p12_file)
    issued = authority.issue(
        _load(folder),
        name=name,
        identifier=identifier or authority.demo_identifier(name),
        usage=kind,
        algorithm=alg,
        at=_now(),
        days=days,
        ocsp=ocsp,
        crl=crl_url,
    )
    index = _read_index(folder)
    serial = f"{issued.certificate.serial_number:x}"
    stem = _free_stem(folder, f"{_UNSAFE.sub('-', name).strip('-.') or 'bidder'}-{kind}")
    certificate = issued.certificate.public_bytes(Encoding.PEM)
    (folder / f"{stem}.crt").write_bytes(certificate)
    typer.echo(f"cert {folder / stem}.crt")
    _write_private(folder / f"{stem}.key", _pem_key(issued.key))
    typer.echo(f"key {folder / stem}.key")
    _write_private(folder / f"{stem}.pem", authority.to_pem(issued))
    typer.echo(f"pem {folder / stem}.pem")
    if p12 is not None:
        _write_private(folder / f"{stem}.p12", authority.to_pkcs12(issued, p12))
        typer.echo(f"p12 {folder / stem}.p12")
    index["issued"][serial] = {"name": name, "kind": kind, "file": f"{stem}.crt"}
    _write_index(folder, index)
    typer.echo(f"serial {serial}", err=True)


@app.command()
def revoke(folder: Folder, serial: Annotated[str, typer.Argument(help="Serial number in hex.")]) -> None:
    """Revoke a certificate as of now, and write a new revocation list."""
    index = _read_index(folder)
    known = serial.lower().replace(":", "").lstrip("0")
    if known not in index["issued"]:
        raise Refused(f"This authority issued no certificate {serial}.", f"The numbers stand in {folder / _INDEX}.")
    index["revoked"].setdefault(known, _now().isoformat())
    _write_index(folder, index)
    crl(folder)


@app.command()
def crl(
    folder: Folder, days: Annotated[int, typer.Option(min=1, max=365, help="How long the list is valid.")] = 7
) -> None:
    """Write the revocation list, valid from now."""
    now = _now()
    made = authority.revocation_list(_load(folder), _revoked(folder), at=now, days=days, number=int(now.timestamp()))
    (folder / _CRL).write_bytes(made.public_bytes(Encoding.PEM))
    typer.echo(f"crl {folder / _CRL}")


@app.command()
def tsa(
    folder: Folder,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 3180,
) -> None:
    """Serve timestamps (RFC 3161) at http://HOST:PORT/ under this authority."""
    import uvicorn  # only this command serves

    from web.standins.timestamp_server import timestamp_app

    issuer, path = _load(folder), folder / _TSA
    if not path.exists():
        made = issue_authority(issuer, name="Kaibiao demo timestamps", at=_now())
        _write_private(path, authority.to_pem(made))
    typer.echo(f"anchor {folder / _ROOT}")
    typer.echo(f"url http://{host}:{port}/")
    uvicorn.run(
        timestamp_app(load_credential(path.read_bytes()), SystemClock()), host=host, port=port, log_level="warning"
    )


@app.command()
def ocsp(
    folder: Folder,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine; 0 takes a free one.")] = 8081,
    minutes: Annotated[int, typer.Option(min=1, max=10_080, help="How long an answer counts.")] = 60,
) -> None:
    """Answer on this machine, until Ctrl-C, whether a certificate of DIR is revoked; `/crl` gives the list."""
    clock = SystemClock()
    root = _load(folder)
    by = responder.appoint(root, at=_now(), days=30)

    def answer(request: bytes) -> bytes:
        return responder.answer(
            request,
            authority=root.certificate,
            responder=by,
            issued={int(serial, 16) for serial in _read_index(folder)["issued"]},
            revoked=_revoked(folder),
            at=_now(),
            life=timedelta(minutes=minutes),
        )

    def listed() -> bytes:
        made = authority.revocation_list(root, _revoked(folder), at=_now(), number=int(clock.now().timestamp()))
        return made.public_bytes(Encoding.DER)

    with Responder(answer, listed, port=port) as running:
        typer.echo(f"ocsp {running.url}/ocsp")
        typer.echo(f"crl {running.url}/crl")
        with suppress(KeyboardInterrupt):
            running.wait()


def _revoked(folder: Path) -> dict[int, datetime]:
    return {int(serial, 16): datetime.fromisoformat(when) for serial, when in _read_index(folder)["revoked"].items()}


def _password(file: str) -> str:
    if file == "-":
        asked: str = typer.prompt("Password of the PKCS#12 file", hide_input=True, confirmation_prompt=True, err=True)
        return asked
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    if not lines or not lines[0]:
        raise Refused(f"{file} holds no password.", "Write it on the first line.")
    return lines[0]


def _now() -> datetime:
    return SystemClock().now().astimezone(UTC).replace(microsecond=0)


def _load(folder: Path) -> Authority:
    try:
        loaded = load_credential((folder / _KEY).read_bytes() + (folder / _ROOT).read_bytes())
    except FileNotFoundError as error:
        raise Refused(f"{folder} holds no authority.", f"Make one with `kaibiao ca init {folder}`.") from error
    if not isinstance(loaded.key, ec.EllipticCurvePrivateKey):
        raise Refused(f"{folder / _KEY} is not a key of ours.", "Make a new authority in another folder.")
    return Authority(key=loaded.key, certificate=loaded.certificate)


def _read_index(folder: Path) -> dict[str, Any]:
    try:
        index: dict[str, Any] = json.loads((folder / _INDEX).read_bytes())
    except FileNotFoundError as error:
        raise Refused(f"{folder} holds no authority.", f"Make one with `kaibiao ca init {folder}`.") from error
    return index


def _write_index(folder: Path, index: dict[str, Any]) -> None:
    (folder / _INDEX).write_text(json.dumps(index, ensure_ascii=False, indent=1) + "\n")


def _free_stem(folder: Path, stem: str) -> str:
    number, free = 1, stem
    while (folder / f"{free}.crt").exists():
        number += 1
        free = f"{stem}-{number}"
    return free


def _pem_key(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write_private(path: Path, data: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
