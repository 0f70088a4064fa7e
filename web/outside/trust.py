"""Whom this hall believes: the CA certificates and revocation lists in two folders.

Read again whenever a file in them changes, so that a list an operator drops in counts at the next act.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509

from crypto.certificates import parse_certificate
from crypto.errors import CertificateRefused
from crypto.paths import Trust

_Stamp = tuple[tuple[str, int, int], ...]


class TrustRefused(Exception):
    """A file in the folders is neither a certificate nor a revocation list."""

    hint = "keep only CA certificates in the anchors folder and revocation lists in the other, as PEM or DER"


class TrustFolders:
    """The trust of this moment. A file that cannot be read stops every check: silence would be a decision."""

    def __init__(self, anchors: Path, crls: Path, *, required: bool) -> None:
        self._anchors = anchors
        self._crls = crls
        self._required = required
        self._stamp: _Stamp | None = None
        self._trust = Trust(anchors=(), required=required)

    def current(self) -> Trust:
        """Return what is trusted now; raise ``TrustRefused`` naming the first file that is neither."""
        stamp = (*_stamp(self._anchors), *_stamp(self._crls))
        if stamp != self._stamp:
            self._trust = Trust(
                anchors=tuple(map(_certificate, _files(self._anchors))),
                crls=tuple(map(_crl, _files(self._crls))),
                required=self._required,
            )
            self._stamp = stamp
        return self._trust


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def _stamp(folder: Path) -> _Stamp:
    # Every act asks for it, 500 at the same moment: by pathlib it takes 0.7 ms, so 20 us.
    try:
        with os.scandir(folder) as found:
            files = [(each.path, each.stat()) for each in found if each.name[0] != "." and each.is_file()]
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return tuple(sorted((path, status.st_mtime_ns, status.st_size) for path, status in files))


def _certificate(path: Path) -> x509.Certificate:
    try:
        return parse_certificate(path.read_bytes())
    except CertificateRefused as error:
        raise TrustRefused(f"{path}: not a certificate") from error


def _crl(path: Path) -> x509.CertificateRevocationList:
    content = path.read_bytes()
    try:
        if content.lstrip().startswith(b"-----BEGIN"):
            return x509.load_pem_x509_crl(content)
        return x509.load_der_x509_crl(content)
    except ValueError as error:
        raise TrustRefused(f"{path}: not a revocation list") from error
