"""Everything an operator can set, read once into one frozen object. ``docs/settings.md`` is printed from it.

A setting comes from the command line, else from the environment (``KAIBIAO_PORT=8080``), else from the TOML file
named by ``--config`` or ``KAIBIAO_CONFIG``, else it has its default. A name nobody knows is an error: a misspelt
limit must not silently be the default. Secrets are never settings; a setting names the file that holds one.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from sessions.notices.addresses import NotAnAddress, address_of
from web.sntp import MOST, read_source

PREFIX = "KAIBIAO_"
CONFIG = PREFIX + "CONFIG"
NOT_OURS = frozenset(PREFIX + name for name in ("FAILPOINT", "FORBID_SKIPS", "SHOTS", "TEST_TEAM", "TEST_CLUSTER"))
"""What rehearsals of failures (sessions.failpoint) and the test suite (tests/) are told."""

_TURN = re.compile(r"turns?:([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?(\?transport=(udp|tcp))?")

_MAIL = re.compile(r"smtps?://(?:(?P<user>[^@/:\s]+)@)?([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?")


class SettingsRefused(Exception):
    """A setting is unknown, missing or cannot be what it says; ``hint`` tells where to look."""

    hint = "docs/settings.md lists every setting with its default"


class Settings(BaseSettings):
    """How this hall runs. Durations end in their unit, sizes in ``bytes``."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, env_parse_none_str="none")

    data_dir: Path = Field(
        Path("kaibiao-data"), description="Folder of all that the hall keeps: database, bids, keys."
    )
    database_url: str = Field(
        "",
        description="SQLAlchemy address of the database: `postgresql+asyncpg://USER@HOST/NAME?ssl=verify-full`, with "
        "the password in a file that `passfile=` names (libpq's .pgpass); without one, the SQLite file `kaibiao.db` "
        "in `data_dir`.",
    )
    blobs_url: str = Field(
        "",
        description="Where sealed bids are kept: `file:///FOLDER`, or `s3://BUCKET/PREFIX?endpoint=URL&region=NAME` "
        "for an S3-compatible store; without one, the folder `bids` in `data_dir`.",
    )
    blobs_key_file: Path | None = Field(
        None,
        description="File with the key for `s3:`, its id and its secret, a line each; without one, the environment "
        "(`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`).",
    )
    blobs_room_bytes: int = Field(
        2**40, ge=0, description="How much an S3 store may still take in, which it cannot be asked."
    )
    bus_url: str = Field(
        "",
        description="Address of the Redis over which workers ring each other: `redis://HOST:PORT/0` or "
        "`unix:///PATH`; without one they ring by way of PostgreSQL. One worker needs none.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    workers: int = Field(1, ge=1, le=64, description="Processes that serve. More than one needs Team mode.")
    public_url: str = Field(
        "",
        description="Address by which people reach the hall, without a path; without one, `http://HOST:PORT`. "
        "What bidders sign names it, and over `https:` cookies are bound to it.",
    )
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = Field(
        (), description="Networks of the proxies in front, whose `X-Forwarded-For` is believed."
    )
    anchors_dir: Path | None = Field(
        None,
        description="Folder with the CA certificates to trust (PEM or DER); without one, `anchors` in `data_dir`.",
    )
    crls_dir: Path | None = Field(
        None, description="Folder with their revocation lists (PEM or DER); without one, `crls` in `data_dir`."
    )
    revocation: Literal["required", "when_present"] = Field(
        "when_present",
        description="Whether a certificate is refused when no list in date covers its issuer (`required`).",
    )
    timestamps_file: Path | None = Field(
        None,
        description="TOML file that lists timestamp authorities (RFC 3161): `[[authority]]` with `name`, `url` and "
        "`anchor`, the file of its self-signed root; without one, `timestamps.toml` in `data_dir`, if there is one.",
    )
    seal_file: Path | None = Field(
        None, description="PKCS#12 with the hall's document seal: a certificate of its own, put on papers (PAdES)."
    )
    seal_password_file: Path | None = Field(None, description="File with the password of `seal_file`.")
    revocation_sources: tuple[str, ...] = Field(
        (),
        description="Prefixes of addresses (`http://ocsp.ca.example/`) at which certification authorities may be "
        "asked, out of those that certificates name. A private address only if the prefix itself is one.",
    )
    revocation_seconds: float = Field(
        3.0, gt=0, le=30, description="How long an authority may take to say whether a certificate was revoked."
    )
    rehearsal_allowed: bool = Field(
        False,
        description="Whether rehearsals (short windows, tickets for logins, the demo CA) may be held here.",
    )
    max_bid_bytes: int = Field(2 * 1024**3, ge=1024, le=2**53 - 1, description="Largest sealed bid that is taken.")
    max_bidder_bytes_a_day: int = Field(
        5 * 1024**3, ge=1024, description="How much one bidder may upload in 24 hours, replaced bids included."
    )
    intake_log_minutes: int = Field(
        10,
        ge=1,
        le=1440,
        description="Minutes between two ticks of an opening's log of receipts; in a rehearsal as many seconds.",
    )
    intake_log_leaves: int = Field(
        16,
        ge=1,
        le=1000,
        description="Entries that a tick adds to the log of receipts, decoys where there are no receipts. When more "
        "bids arrive between two ticks, some wait for the next; only then does anybody notice.",
    )
    log_name: str = Field(
        "",
        pattern=r"^[^\s+]*$",
        description="Name of this hall in the checkpoints of its logs, which never changes; without one, the host of "
        "`public_url`, with its port.",
    )
    witnesses_file: Path | None = Field(
        None,
        description="File with the witnesses of the logs (c2sp.org/tlog-policy: `witness NAME VKEY URL` lines, "
        "one `group`, a `quorum`). Openings announced from then on name them.",
    )
    clock_sources: tuple[str, ...] = Field(
        (),
        description="Time servers (`host:port`, NTP) that the hall compares its clock with, at the start and every "
        "minute; three or more, so that one that is wrong is outvoted. Openings announced from then on name them and "
        "record the offset at their opening time. Nothing is set by them.",
    )
    login_hours: int = Field(12, ge=1, le=24, description="How long a login lasts.")
    max_watchers: int = Field(15_000, ge=1, description="Open streams beyond which this process answers 503.")
    readiness_token_file: Path | None = Field(
        None,
        description="File with the token (`Authorization: Bearer`) that shows a monitor the reasons of `/readyz`.",
    )
    metrics_listen: str = Field(
        "",
        pattern=r"^(|[0-9]{1,5}|\S+:[0-9]{1,5})$",
        description="Where monitoring reads the figures (`/metrics`, docs/metrics.md): a port of this machine, or "
        "`ADDRESS:PORT` where others may come too. Without one there is no such door. It has no login.",
    )
    media: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Whether the hall has picture and sound, in processes of their own; `auto`: where the extra "
        "`media` is installed.",
    )
    media_port: int = Field(
        8189, ge=0, le=65535, description="The one UDP and TCP port of cameras and seats; 0 takes a free one."
    )
    media_addresses: tuple[IPv4Address | IPv6Address, ...] = Field(
        (),
        description="Addresses at which browsers reach that port, as the firewall has them; without one, those of "
        "`host`. Every one is listened on by way of all addresses, and none is ever dialled.",
    )
    media_video: Literal["h264", "vp8"] = Field(
        "h264",
        description="Codec of the picture: H.264 constrained baseline, or VP8, which needs no patent and reaches "
        "fewer players.",
    )
    turn_urls: tuple[str, ...] = Field(
        (),
        description="Addresses of a TURN relay (coturn with `use-auth-secret`) for browsers that do not reach "
        "`media_port`: `turn:HOST:PORT?transport=udp`, `turns:HOST:443?transport=tcp`. Let it relay to that port "
        "alone (`allowed-peer-ip`, `denied-peer-ip`), for everybody who watches is told of it.",
    )
    turn_secret_file: Path | None = Field(
        None,
        description="File with the secret that is shared with it (`static-auth-secret`), from which credentials for "
        "an hour are made.",
    )
    mail_url: str = Field(
        "",
        description="Mail server by which the hall tells bidders that a certificate ends: `smtp://USER@HOST:587` "
        "(STARTTLS, which it must offer unless it is on this machine) or `smtps://USER@HOST:465`. An `@` in the "
        "user's name is `%40`. Without one the hall sends no mail and asks nobody for an address.",
    )
    mail_password_file: Path | None = Field(None, description="File with the password of `mail_url`'s user.")
    mail_from: str = Field("", description="Address that these mails come from.")
    log_format: Literal["lines", "json"] = Field("lines", description="Log as readable lines or as JSON.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is worth logging.")

    @model_validator(mode="after")
    def _address_is_one(self) -> Self:
        address = urlsplit(self.origin)
        if address.scheme not in ("http", "https") or not address.hostname or self.origin != _origin(self.origin):
            raise ValueError("public_url is http:// or https:// with a host, and no path: https://hall.example.org")
        if address.scheme == "http" and not on_this_machine(address.hostname):
            raise ValueError("public_url is https:// everywhere but on this machine (127.0.0.1, localhost)")
        return self

    @model_validator(mode="after")
    def _bus_is_one(self) -> Self:
        if self.bus_url and urlsplit(self.bus_url).scheme not in ("redis", "rediss", "unix"):
            raise ValueError("bus_url is redis://, rediss:// or unix://")
        return self

    @model_validator(mode="after")
    def _relay_is_one(self) -> Self:
        if bool(self.turn_urls) != bool(self.turn_secret_file):
            raise ValueError("turn_urls and turn_secret_file are given together")
        if not all(map(_TURN.fullmatch, self.turn_urls)):
            raise ValueError("turn_urls are turn:HOST:PORT?transport=udp or turns:HOST:PORT?transport=tcp (RFC 7065)")
        return self

    @model_validator(mode="after")
    def _mail_is_one(self) -> Self:
        found = _MAIL.fullmatch(self.mail_url)
        if self.mail_url and found is None:
            raise ValueError("mail_url is smtp://USER@HOST:587 or smtps://USER@HOST:465, without a password")
        if bool(found and found["user"]) != bool(self.mail_password_file):
            raise ValueError("mail_url with a user, and mail_password_file, are given together")
        if bool(self.mail_url) != bool(self.mail_from):
            raise ValueError("mail_url and mail_from are given together")
        return self

    @field_validator("mail_from")
    @classmethod
    def _from_is_an_address(cls, given: str) -> str:
        try:
            return given and address_of(given)
        except NotAnAddress:
            raise ValueError("one address, such as hall@example.org") from None

    @field_validator("clock_sources")
    @classmethod
    def _sources_are_addresses(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        if len(given) > MOST or len({read_source(source) for source in given}) < len(given):
            raise ValueError(f"at most {MOST} different time servers")
        return given

    @property
    def origin(self) -> str:
        """The origin in RFC 6454's form: scheme, host and a port other than the scheme's own."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104  # compared, not bound
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def hall_name(self) -> str:
        """What the names of all logs of this hall begin with."""
        return self.log_name or urlsplit(self.origin).netloc

    @property
    def metrics_address(self) -> tuple[str, int] | None:
        """Host and port of the figures' own door; None without one."""
        if not self.metrics_listen:
            return None
        host, _, port = self.metrics_listen.rpartition(":")
        return host.strip("[]") or "127.0.0.1", int(port)

    @property
    def secure(self) -> bool:
        """Whether people reach the hall over TLS; cookies and HSTS follow from it."""
        return self.origin.startswith("https:")

    @property
    def database(self) -> str:
        """The database's SQLAlchemy address."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir.absolute() / 'kaibiao.db'}"

    @property
    def team(self) -> bool:
        """Whether several workers may serve: the database is one that they can share."""
        return self.database.startswith("postgres")

    @property
    def anchors(self) -> Path:
        """The folder of trust anchors."""
        return self.anchors_dir or self.data_dir / "anchors"

    @property
    def timestamps(self) -> Path:
        """The file that lists timestamp authorities."""
        return self.timestamps_file or self.data_dir / "timestamps.toml"

    @property
    def crls(self) -> Path:
        """The folder of revocation lists."""
        return self.crls_dir or self.data_dir / "crls"


def load(config: Path | None = None, **given: object) -> Settings:
    """Return the settings; ``given`` are those of the command line, where None means not given.

    Raises:
        SettingsRefused: a name is unknown, a value is not possible, or the file cannot be read.
    """
    _refuse_unknown(os.environ)
    path = config or os.environ.get(CONFIG)
    try:
        file = tomllib.loads(Path(path).read_text(encoding="utf-8")) if path else {}
        below = {name: value for name, value in file.items() if PREFIX + name.upper() not in os.environ}
        return Settings(**below | {name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise SettingsRefused("; ".join(_sentence(each) for each in error.errors())) from None
    except OSError as error:
        raise SettingsRefused(f"{error.filename}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsRefused(f"{path}: {error}") from None


def document() -> str:
    """Return ``docs/settings.md``."""
    lines = [
        "# Settings",
        "",
        "A setting comes from the command line, else from the environment, else from the TOML file `--config` or",
        f"`{CONFIG}` names, else it has its default. Unknown names are refused. Printed by `python -m web.settings`.",
        "",
        "| setting | environment | default | what it does |",
        "| --- | --- | --- | --- |",
    ]
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, "", ()) else f"`{_toml(field.default)}`"
        lines.append(f"| `{name}` | `{PREFIX}{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case _:
            return f'"{value}"'


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def on_this_machine(host: str) -> bool:
    """Return whether a host is this machine, by its name or address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    known = {CONFIG, *NOT_OURS, *(PREFIX + name.upper() for name in Settings.model_fields)}
    unknown = sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise SettingsRefused(f"no such setting: {', '.join(unknown)}")


def _sentence(error: Mapping[str, object]) -> str:
    where = error["loc"]
    name = ".".join(str(part) for part in where) if isinstance(where, tuple) else str(where)
    return f"{name}: {error['msg']}" if name else str(error["msg"])


if __name__ == "__main__":
    sys.stdout.write(document())
