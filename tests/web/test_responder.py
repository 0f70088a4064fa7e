"""The demonstration authority's responder over HTTP, asked as a hall asks."""

import threading
from pathlib import Path

from cryptography import x509
from typer.testing import CliRunner

from crypto import ocsp
from crypto.certificates import parse_certificate
from crypto.crls import parse_list
from sessions.clock import SystemClock
from web.cli.authority import app
from web.outside.revocation import Authorities, Fetcher, points, responders
from web.standins.responder import Responder

RUN = CliRunner()


def issued(folder: Path, *options: str) -> x509.Certificate:
    told = RUN.invoke(app, ["issue", str(folder), "--name", "Acme", "--kind", "sign", *options])
    assert told.exit_code == 0, told.output
    return parse_certificate(next(folder.glob("*.crt")).read_bytes())


def test_a_certificate_names_where_to_ask_only_when_told(tmp_path: Path) -> None:
    assert RUN.invoke(app, ["init", str(tmp_path)]).exit_code == 0
    plain = issued(tmp_path)
    assert ([*responders(plain)], [*points(plain)]) == ([], [])
    next(tmp_path.glob("*.crt")).unlink()
    asking = issued(tmp_path, "--ocsp", "http://127.0.0.1:1/ocsp", "--crl-url", "http://127.0.0.1:1/crl")
    assert ([*responders(asking)], [*points(asking)]) == (["http://127.0.0.1:1/ocsp"], ["http://127.0.0.1:1/crl"])


def test_a_list_lasts_as_long_as_it_is_told(tmp_path: Path) -> None:
    RUN.invoke(app, ["init", str(tmp_path)])
    assert RUN.invoke(app, ["crl", str(tmp_path), "--days", "3"]).exit_code == 0
    made = parse_list((tmp_path / "crl.pem").read_bytes())
    assert made.next_update_utc is not None
    assert (made.next_update_utc - made.last_update_utc).days == 3


async def test_the_responder_is_asked_over_http_and_believed(tmp_path: Path) -> None:
    from web.demo import cast
    from web.demo.revocation import answering

    clock = SystemClock()
    with answering() as asked:
        troupe = cast.engage(1, clock.now(), asked_at=asked.url)
        asked.knows(troupe)
        of = Authorities((f"{asked.url}/",), clock=clock, seconds=5.0)
        subject, issuer = troupe.bidders[0].signer.certificate, troupe.authority.certificate
        found = await of.ask(subject, issuer, clock.now())
        said = ocsp.about(found.ocsps[0], subject, issuer)
        assert said is not None
        assert (said.revoked_at, len(said.nonce or b"")) == (None, 32)
        listed = parse_list(Fetcher((f"{asked.url}/",)).fetch(f"{asked.url}/crl", None, 100_000, 5.0))
        assert listed.issuer == issuer.subject
        await of.close()


def test_a_responder_that_stopped_is_gone() -> None:
    before = threading.active_count()
    with Responder(lambda request: b"", lambda: b"") as running:
        assert running.url.startswith("http://127.0.0.1:")
    assert threading.active_count() == before
