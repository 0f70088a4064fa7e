"""Who takes part in the demo and with what: an authority, bidders with double certificates, a tender, sealed bids.

Everything is made for one run and written below one folder, so that a person can take any seat with a PKCS#12 file.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from crypto import authority
from crypto.certificates import Credential, Usage
from crypto.encoding import b64u
from crypto.envelope import Source, seal
from crypto.quorum import Quorum
from sessions.roles import Role

PASSWORD = "kaibiao"  # noqa: S105  # of every demo key file; the files are made anew for each run
SESSION = "GC-2026-0417-02"
STAFF = {"host": "李明", "deputy": "王珂", "supervisor": "张立"}
OFFICERS = {**STAFF, "tenderer": "赵诚"}
ROLES = {account: Role(account) if account in STAFF else Role.SUPERVISOR for account in OFFICERS}
LOCKS = {"host": ("host", "deputy"), "supervisor": ("supervisor",)}
WINDOWS = {"checkin": 3600, "draw": 60, "decrypt": 60, "confirm": 25, "objection": 25, "sign": 30}  # seconds
READING_PACE = 6  # seconds for a row
"""Whose keys remove which lock: one of the two on the host's side, and the supervisor. The tenderer has its own."""

_PLACES = ("青禾", "云台", "安澜", "华岳", "望江", "松原", "临川", "长亭", "北屏", "南浦", "海门", "白鹿")
_TRADES = ("路桥有限公司", "市政工程有限公司", "建设集团有限公司", "水务工程有限公司", "建筑安装有限公司")
_MANAGERS = ("李明远", "周若兰", "陈嘉禾", "王思齐", "赵清和", "孙一诺", "吴听松", "郑怀瑾", "冯知行", "褚云舟")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One bidder: its number, name and double certificates; ``opener`` is what it brings to unlock with."""

    row: int
    name: str
    identifier: str
    signer: Credential
    encrypter: Credential
    opener: Credential


@dataclass(frozen=True, slots=True, kw_only=True)
class Troupe:
    """Everyone of one demo, and the authority that certified them."""

    authority: authority.Authority
    officers: Mapping[str, Credential]  # by account; each stays with its person
    bidders: tuple[Member, ...]
    late: Member


def names() -> Iterator[str]:
    """Yield invented company names without end, no two alike."""
    for number in range(10_000):
        place, trade = _PLACES[number % len(_PLACES)], _TRADES[number % len(_TRADES)]
        lap = number // 60
        yield place + (f"第{lap + 1}" if lap else "") + trade


def engage(count: int, at: datetime, *, wrong_key: int | None = None, asked_at: str = "") -> Troupe:
    """Return an authority and ``count`` bidders plus one who will be late.

    The bidder in row ``wrong_key`` has had its encryption certificate re-issued, and brings the new one.
    ``asked_at``: where the authority says whether a certificate was revoked (web.demo.revocation).
    """
    root = authority.create("Kaibiao demo authority 开标演示", at=at - timedelta(minutes=5))
    members = []
    for row, name in zip(range(1, count + 2), names(), strict=False):
        identifier = authority.demo_identifier(name)

        def certified(usage: Usage, name: str = name, identifier: str = identifier) -> Credential:
            return authority.issue(
                root,
                name=name,
                identifier=identifier,
                usage=usage,
                at=at - timedelta(minutes=5),
                days=90,
                ocsp=f"{asked_at}/ocsp" if asked_at else "",
                crl=f"{asked_at}/crl" if asked_at else "",
            )

        encrypter = certified(Usage.ENCRYPT)
        members.append(
            Member(
                row=row,
                name=name,
                identifier=identifier,
                signer=certified(Usage.SIGN),
                encrypter=encrypter,
                opener=certified(Usage.ENCRYPT) if row == wrong_key else encrypter,
            )
        )
    officers = {
        account: authority.issue(
            root,
            name=name,
            identifier=authority.demo_identifier(account),
            usage=Usage.ENCRYPT,
            at=at - timedelta(minutes=5),
            days=30,
        )
        for account, name in OFFICERS.items()
    }
    return Troupe(authority=root, officers=officers, bidders=tuple(members[:-1]), late=members[-1])


def write_keys(member: Member, folder: Path, rounds: int = authority.PKCS12_ROUNDS) -> Path:
    """Write the key files that this bidder brings to the hall; return the folder."""
    place = folder / f"{member.row:02d}-{member.name}"
    place.mkdir(parents=True, exist_ok=True)
    (place / "sign.p12").write_bytes(authority.to_pkcs12(member.signer, PASSWORD, rounds=rounds))
    (place / "encrypt.p12").write_bytes(authority.to_pkcs12(member.opener, PASSWORD, rounds=rounds))
    return place


def write_officers(troupe: Troupe, folder: Path) -> Path:
    """Write the key files of the officers, for whoever takes a chair; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for account, credential in troupe.officers.items():
        (folder / f"{account}.p12").write_bytes(authority.to_pkcs12(credential, PASSWORD))
    return folder


def hastened(speed: float, least: float) -> dict[str, Any]:
    """Return the windows and the pace of the read-out divided by ``speed``, for ``make_plan``.

    No window is shorter than ``least`` seconds, in which everybody must be able to act.
    """
    lengths = {name: max(length / speed, least) for name, length in WINDOWS.items() if name != "checkin"}
    return {
        "windows": {name: _milliseconds(length) for name, length in lengths.items()},
        "reading_pace": _milliseconds(READING_PACE / speed),
    }


def _milliseconds(seconds: float) -> timedelta:
    return timedelta(milliseconds=round(1000 * seconds))


def tender(t0: datetime, *, troupe: Troupe | None = None) -> dict[str, Any]:
    """Return the tender file of the demo: a drainage job, opened at ``t0``.

    With a ``troupe`` its bids are behind the locks of its officers; without one the hall holds the key.
    """
    people = STAFF if troupe is None else OFFICERS
    return {
        "id": "GC-2026-0417",
        "lot": "02",
        "title": {"zh": "金山路排水改造工程二标段", "en": "Jinshan Road drainage works, section 2"},
        "tenderer": {"zh": "江城市市政建设中心", "en": "Jiangcheng Municipal Works Centre"},
        "agent": {"zh": "衡准招标代理有限公司", "en": "Hengzhun Tendering Agency"},
        "place": {"zh": "本网络开标大厅", "en": "this hall, on the network"},
        "deadline": t0.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "pack": "cn-works",
        "envelopes": 1,
        "ceiling": "13200000.00",
        "draws": [
            {
                "id": "k",
                "title": {"zh": "评标基准价下浮系数 K", "en": "Reduction coefficient K"},
                "values": ["0.95", "0.955", "0.96", "0.965", "0.97", "0.975", "0.98"],
                "pick": 1,
            },
            {"id": "order", "title": {"zh": "项目经理答辩顺序", "en": "Order of interviews"}},
        ],
        "currency": "CNY",
        "windows": WINDOWS,
        "reading_pace_s": READING_PACE,
        "seats": [{"account": account, "role": ROLES[account], "name": name} for account, name in people.items()],
        **({} if troupe is None else _locks(troupe)),
        "quote": {
            "fields": [
                _field("price", "money", "投标报价", "Price", currency="CNY"),
                _field("duration", "integer", "工期（日历天）", "Duration, calendar days"),
                _field("quality", "text", "质量目标", "Quality"),
                _field("manager", "text", "项目经理", "Project manager"),
                _field("bond", "text", "投标保证金", "Bid bond"),
            ]
        },
    }


def _locks(troupe: Troupe) -> dict[str, Any]:
    locks = [{"id": lock, **_held(troupe, *accounts)} for lock, accounts in LOCKS.items()]
    return {"locks": locks, "tenderer_share": _held(troupe, "tenderer")}


def _held(troupe: Troupe, *accounts: str) -> dict[str, Any]:
    der = {account: troupe.officers[account].certificate.public_bytes(Encoding.DER) for account in accounts}
    officers = [{"account": name, "name": OFFICERS[name], "certificate": b64u(der[name])} for name in accounts]
    return {"threshold": 1, "officers": officers}


def quote(row: int) -> dict[str, str]:
    """Return the read-out sheet of the bidder in ``row``: plausible, all different, the same in every run."""
    price = Decimal("12418650.00") + Decimal((row * 7919) % 97) * Decimal("8311.37") - Decimal(row % 5) * 60_000
    return {
        "price": f"{price:.2f}",
        "duration": str(260 + (row * 13) % 41),
        "quality": "合格",
        "manager": _MANAGERS[row % len(_MANAGERS)],
        "bond": "电子保函",
    }


def document(row: int, size: int = 200_000) -> io.BytesIO:
    """Return the bidder's documents: bytes that only this bidder has."""
    line = f"Bid document of bidder {row}\n".encode()
    return io.BytesIO((line * (size // len(line) + 1))[:size])


def sealed(
    member: Member, t0: datetime, size: int = 200_000, *, troupe: Troupe | None = None
) -> tuple[io.BytesIO, int]:
    """Return this bidder's sealed bid for the demo's tender, and its length."""
    out = io.BytesIO()
    made = seal(
        out,
        tender="GC-2026-0417",
        lot="02",
        deadline=t0.strftime("%Y-%m-%dT%H:%M:%SZ"),
        quote=quote(member.row),
        files=[Source(name="投标文件.txt", media="text/plain", stream=document(member.row, size), size=size)],
        signer=member.signer,
        encrypt_to=[member.encrypter.certificate],
        tenderer=_tenderer(troupe) if troupe else None,
    )
    return out, made.length


def _tenderer(troupe: Troupe) -> Quorum:
    return Quorum(threshold=1, certificates=(troupe.officers["tenderer"].certificate,))


def _field(name: str, kind: str, zh: str, en: str, **more: str) -> dict[str, Any]:
    return {"id": name, "kind": kind, "required": True, "label": {"zh": zh, "en": en}, **more}
