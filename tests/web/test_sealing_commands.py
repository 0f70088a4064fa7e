"""A bidder's way from an example to an opened bid, by command line alone."""

import base64
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner

from crypto.certificates import parse_certificate
from crypto.errors import SealedBidRefused, ShareRefused
from sessions.announcing.announcement import make_plan
from sessions.zipped import pack
from tests.support.bundles import the_bundle
from web.cli import sealing
from web.refused import Refused

APP = typer.Typer()
sealing.register(APP)
NAME = "华岳建设集团"


@dataclass(frozen=True, slots=True)
class Desk:
    """A folder with an authority, one bidder's keys and the example's files."""

    folder: Path
    sign: Path
    encrypt: Path

    @property
    def tender(self) -> Path:
        return self.folder / "example" / "tender.json"

    @property
    def quote(self) -> Path:
        return self.folder / "example" / "quote.json"

    @property
    def password(self) -> Path:
        return self.folder / "password"

    def seal(self, *more: object, out: str = "bid.sbid", quote: Path | None = None) -> list[str]:
        return done(
            *("seal", "--tender", self.tender, "--quote", quote or self.quote, "--sign", self.sign),
            *("--encrypt-to", self.encrypt, "--password-file", self.password, "--out", self.folder / out, *more),
        )


def done(*words: object) -> list[str]:
    result = CliRunner().invoke(APP, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def exit_code(*words: object) -> int:
    return CliRunner().invoke(APP, [str(word) for word in words]).exit_code


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = tmp_path_factory.mktemp("desk")
    done("ca", "init", folder / "ca")
    signing = done("ca", "issue", folder / "ca", "--name", NAME, "--kind", "sign", "--p12", "geheim")
    encryption = done("ca", "issue", folder / "ca", "--name", NAME, "--kind", "encrypt", "--alg", "rsa3072")
    done("example", folder / "example")
    (folder / "password").write_text("geheim\n")
    files = {line.split(" ", 1)[0]: Path(line.split(" ", 1)[1]) for line in (*encryption, *signing)}
    assert set(files) == {"cert", "key", "pem", "p12"}
    return Desk(folder, files["p12"], Path(encryption[2].removeprefix("pem ")))


def test_a_bid_goes_from_example_to_opened(desk: Desk, tmp_path: Path) -> None:
    documents = sorted((desk.folder / "example").glob("*.pdf"))
    lines = desk.seal(*documents)
    assert lines[0] == f"sealed {desk.folder / 'bid.sbid'}"
    wrote = done("unseal", desk.folder / "bid.sbid", "--key", desk.encrypt, "--out", tmp_path / "out")
    assert len(wrote) == 3
    for document in documents:
        assert (tmp_path / "out" / document.name).read_bytes() == document.read_bytes()
    assert json.loads((tmp_path / "out" / "quote.json").read_text()) == json.loads(desk.quote.read_text())


def test_explain_tells_the_outside_and_nothing_of_the_inside(desk: Desk) -> None:
    documents = sorted((desk.folder / "example").glob("*.pdf"))
    desk.seal(*documents)
    text = "\n".join(done("explain", desk.folder / "bid.sbid"))
    assert "GC-2026-0417" in text
    assert "INTL-1" in text
    assert "12418650" not in text
    assert "technical" not in text


def test_explain_describes_the_archive_of_an_opening(tmp_path: Path) -> None:
    bundle = tmp_path / "session.zip"
    bundle.write_bytes(the_bundle()[0])
    lines = done("explain", bundle)
    assert "nothing verified" in lines[0]
    assert any(line.split()[:3] == ["bids", "received", "5"] for line in lines)


def test_explain_describes_an_archive_of_five_hundred_bids(tmp_path: Path) -> None:
    bundle = tmp_path / "session.zip"
    bundle.write_bytes(pack({f"bids/{row}/{part}": b"x" for row in range(1, 501) for part in "abcdefgh"}))
    assert done("explain", bundle)[-1].split() == ["files", "in", "bids", "4000"]


@pytest.mark.parametrize("data", [b"PK\x03\x04broken", pack({"a": b"x"}) + b"more"])
def test_explain_refuses_another_zip_file(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "other.zip").write_bytes(data)
    with pytest.raises(Refused, match=r"other\.zip is a zip file, but no archive of an opening"):
        done("explain", tmp_path / "other.zip")


def test_the_slot_opens_with_openssl(desk: Desk) -> None:
    desk.seal()
    slot = desk.folder / "slot.der"
    done("slot", desk.folder / "bid.sbid", "--out", slot)
    command = ["openssl", "cms", "-decrypt", "-inform", "DER", "-in", str(slot), "-inkey", str(desk.encrypt)]
    assert len(subprocess.run(command, capture_output=True, check=True).stdout) == 32


def test_the_example_is_a_tender_the_hall_announces(desk: Desk) -> None:
    plan = make_plan(json.loads(desk.tender.read_text()), session="example")
    assert [field.id for field in plan.tender.quote] == list(json.loads(desk.quote.read_text()))


def test_a_second_envelope_is_sealed_apart(desk: Desk, tmp_path: Path) -> None:
    tender = json.loads(desk.tender.read_text()) | {"envelopes": 2}
    (tmp_path / "tender.json").write_text(json.dumps(tender))
    technical, commercial = (desk.folder / "example" / f"{name}.pdf" for name in ("technical", "commercial"))
    more = ("--commercial", commercial, "--tender", tmp_path / "tender.json", technical)
    desk.seal(*more, out="two.sbid")
    groups = [line.split()[1] for line in done("explain", desk.folder / "two.sbid") if " part " in line]
    assert groups == ["A", "A", "B", "B", "B"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"price": "12,418,650.00"}, "wrong form, field price"),
        ({"price": "0.00"}, "not above zero, field price"),
        ({"duration": 270}, "not a JSON object of strings"),
        ({"discount": "5"}, "does not ask for, field discount"),
    ],
)
def test_a_quote_the_tender_does_not_allow_is_refused_in_a_sentence(
    desk: Desk, tmp_path: Path, change: dict[str, object], says: str
) -> None:
    quote = tmp_path / "quote.json"
    quote.write_text(json.dumps(json.loads(desk.quote.read_text()) | change))
    with pytest.raises(Refused, match=says) as refused:
        desk.seal(quote=quote)
    assert refused.value.hint.startswith("The tender asks for: price (money)")


def test_a_failed_sealing_leaves_no_file(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="pair"):
        desk.seal("--encrypt-to", another_bidders_certificate(desk), out="never.sbid")
    assert not list(desk.folder.glob("never*"))
    assert not list(desk.folder.glob(".kaibiao-*"))


def another_bidders_certificate(desk: Desk) -> Path:
    lines = done("ca", "issue", desk.folder / "ca", "--name", "另一家", "--kind", "encrypt")
    return Path(lines[0].removeprefix("cert "))


def test_without_a_password_file_and_a_terminal_the_next_step_is_told(desk: Desk) -> None:
    words = ["seal", "--tender", desk.tender, "--quote", desk.quote, "--sign", desk.sign]
    with pytest.raises(Refused, match="needs a password"):
        done(*words, "--encrypt-to", desk.encrypt, "--out", desk.folder / "x.sbid")


def test_a_certificate_that_ends_before_the_opening_is_warned_of(desk: Desk) -> None:
    issue = ("ca", "issue", desk.folder / "ca", "--name", NAME, "--kind", "encrypt", "--days", "10")
    short_lived = done(*issue)[0].removeprefix("cert ")
    words = ["seal", "--tender", desk.tender, "--quote", desk.quote, "--sign", desk.sign, "--encrypt-to", short_lived]
    words += ["--password-file", desk.password, "--out", desk.folder / "short.sbid"]
    result = CliRunner().invoke(APP, [str(word) for word in words], catch_exceptions=False)
    assert "Your encryption certificate ends on" in result.stderr


def test_wrong_usage_ends_with_2(desk: Desk) -> None:
    assert exit_code("seal") == 2
    assert exit_code("explain", desk.folder / "nothing.sbid") == 2
    assert exit_code("ca", "issue", desk.folder / "ca", "--name", "x", "--kind", "both") == 2


def test_a_revoked_certificate_stands_in_the_list(desk: Desk) -> None:
    lines = done("ca", "issue", desk.folder / "ca", "--name", "被吊销", "--kind", "sign")
    command = ["openssl", "x509", "-noout", "-serial", "-in", lines[0].removeprefix("cert ")]
    serial = (
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().removeprefix("serial=")
    )
    crl = done("ca", "revoke", desk.folder / "ca", serial)[0].removeprefix("crl ")
    shown = ["openssl", "crl", "-noout", "-text", "-in", crl]
    assert serial in subprocess.run(shown, capture_output=True, text=True, check=True).stdout
    with pytest.raises(Refused, match="issued no certificate"):
        done("ca", "revoke", desk.folder / "ca", "1234")


def test_an_authority_is_not_overwritten(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="already holds"):
        done("ca", "init", desk.folder / "ca")
    with pytest.raises(Refused, match="holds no authority"):
        done("ca", "crl", tmp_path)


def test_private_keys_are_for_their_owner_only(desk: Desk) -> None:
    for path in (desk.sign, desk.encrypt, desk.folder / "ca" / "root.key"):
        assert path.stat().st_mode & 0o077 == 0


@dataclass(frozen=True, slots=True)
class Holder:
    """An officer or trustee with a key of its own."""

    certificate: Path
    pem: Path


def a_holder(desk: Desk, name: str) -> Holder:
    lines = done("ca", "issue", desk.folder / "ca", "--name", name, "--kind", "encrypt")
    files = {line.split(" ", 1)[0]: Path(line.split(" ", 1)[1]) for line in lines}
    return Holder(files["cert"], files["pem"])


def a_tender_with_holders(desk: Desk, officers: list[Holder], trustee: Holder, to: Path) -> Path:
    def said(holder: Holder) -> dict[str, str]:
        der = parse_certificate(holder.certificate.read_bytes()).public_bytes(Encoding.DER)
        return {"account": "a", "name": "n", "certificate": base64.b64encode(der).decode()}

    tender = json.loads(desk.tender.read_text())
    tender["tenderer_share"] = {"threshold": 2, "officers": [said(each) for each in officers]}
    tender["escrow"] = {"threshold": 1, "trustees": [said(trustee)]}
    to.write_text(json.dumps(tender))
    return to


def test_a_bid_to_tenderer_and_trustee_opens_with_their_keys(desk: Desk, tmp_path: Path) -> None:
    officers, trustee = [a_holder(desk, f"解密员{each}") for each in "甲乙丙"], a_holder(desk, "保管人")
    tender = a_tender_with_holders(desk, officers, trustee, tmp_path / "tender.json")
    lines = desk.seal("--tender", tender, out="layered.sbid")
    bid = desk.folder / "layered.sbid"
    assert lines[-2:] == [
        "tenderer 2 of 3 officers open it with you",
        "escrow 1 of 1 trustees can open your part",
    ]
    explained = "\n".join(done("explain", bid))
    assert "share 2 of 3 of the tenderer's key, any 2 give it" in explained
    assert "share 1 of 1 of the bidder's key (escrow)" in explained

    unseal = ("unseal", bid, "--key", desk.encrypt, "--out", tmp_path / "out")
    with pytest.raises(SealedBidRefused, match="only together with the tenderer's key"):
        done(*unseal)
    with pytest.raises(ShareRefused, match="too few"):
        done(*unseal, "--tenderer-key", officers[0].pem)
    done(*unseal, "--tenderer-key", officers[2].pem, "--tenderer-key", officers[0].pem)
    assert json.loads((tmp_path / "out" / "quote.json").read_text()) == json.loads(desk.quote.read_text())

    tried = done("share", bid, "--key", trustee.pem)
    assert tried == ["group A: escrow share 1 of 1, 1 needed: opens and is the committed one"]
    assert done("share", bid, "--key", officers[1].pem)[0].startswith("group A: tenderer share 2 of 3, 2 needed:")
    with pytest.raises(Refused, match="no share for this certificate"):
        done("share", bid, "--key", desk.encrypt)

    done("slot", bid, "--role", "tenderer", "--number", "3", "--out", tmp_path / "slot.der")
    decrypt = [
        "openssl",
        "cms",
        "-decrypt",
        "-inform",
        "DER",
        "-in",
        tmp_path / "slot.der",
        "-inkey",
        officers[2].pem,
    ]
    assert len(subprocess.run(decrypt, capture_output=True, check=True).stdout) == 32
    with pytest.raises(Refused, match="has 3 slots of the tenderer"):
        done("slot", bid, "--role", "tenderer", "--number", "4")


@pytest.mark.parametrize(
    "change",
    [
        lambda tender: tender["tenderer_share"].update(threshold=4),
        lambda tender: tender["tenderer_share"].update(threshold=True),
        lambda tender: tender["tenderer_share"].pop("officers"),
        lambda tender: tender["escrow"]["trustees"][0].update(certificate="AAAA"),
        lambda tender: tender["escrow"].update(trustees=[]),
    ],
)
def test_a_tender_with_impossible_holders_is_refused(desk: Desk, tmp_path: Path, change: Any) -> None:
    officers = [a_holder(desk, f"解密员{each}") for each in "甲乙丙"]
    path = a_tender_with_holders(desk, officers, officers[0], tmp_path / "tender.json")
    tender = json.loads(path.read_text())
    change(tender)
    path.write_text(json.dumps(tender))
    with pytest.raises(Refused, match="is not a tender file"):
        desk.seal("--tender", path, out="never-layered.sbid")
