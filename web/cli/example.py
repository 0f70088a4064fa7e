"""``kaibiao example``: a tender, a quote and two PDFs to try sealing with."""

from __future__ import annotations

import json
from datetime import UTC, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from sessions.clock import SystemClock

_QUOTE = {"price": "12418650.00", "duration": "270", "quality": "合格", "manager": "李明远", "bond": "电子保函"}
_TECHNICAL = ("施工组织设计", "Construction method", "", "1. 工程概况  Scope of works", "2. 进度计划  Programme")
_COMMERCIAL = (
    "已标价工程量清单",
    "Priced bill of quantities",
    "",
    "排水管道 DN600   1200 m   980.00",
    "合计 12418650.00",
)


def example(folder: Annotated[Path, typer.Argument(metavar="DIR", file_okay=False)]) -> None:
    """Write a tender.json, a quote.json and two PDFs into DIR."""
    folder.mkdir(parents=True, exist_ok=True)
    deadline = (SystemClock().now() + timedelta(days=7)).astimezone(UTC).replace(minute=0, second=0)
    contents = {
        "tender.json": _json(tender(deadline.strftime("%Y-%m-%dT%H:%M:%SZ"))),
        "quote.json": _json(_QUOTE),
        "technical.pdf": pdf(*_TECHNICAL),
        "commercial.pdf": pdf(*_COMMERCIAL),
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
        typer.echo(f"wrote {folder / name}")


def tender(deadline: str) -> dict[str, Any]:
    """Return an announcement of construction works, as the hall and ``kaibiao seal`` both read it."""
    return {
        "id": "GC-2026-0417",
        "lot": "02",
        "title": {"zh": "金山路排水改造工程二标段", "en": "Jinshan Road drainage works, section 2"},
        "tenderer": {"zh": "江城市市政建设中心", "en": "Jiangcheng Municipal Works Centre"},
        "agent": {"zh": "衡准招标代理有限公司", "en": "Hengzhun Tendering Agency"},
        "place": {"zh": "网上开标大厅", "en": "the hall on the network"},
        "deadline": deadline,
        "pack": "cn-works",
        "envelopes": 1,
        "ceiling": "13200000.00",
        "currency": "CNY",
        "seats": [
            {"account": "host", "role": "host", "name": "林致远"},
            {"account": "deputy", "role": "deputy", "name": "沈若谷"},
            {"account": "supervisor", "role": "supervisor", "name": "顾衡"},
        ],
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


def pdf(*lines: str) -> bytes:
    """Return a one-page PDF of these lines, in a CJK font that readers bring along (ISO 32000-1, 9.7.5.2)."""
    shown = " T* ".join(f"<{line.encode('utf-16-be').hex()}> Tj" for line in lines)
    page = f"BT /F 16 Tf 72 760 Td 28 TL {shown} ET".encode()
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(page), page),
        b"<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UCS2-H /DescendantFonts [6 0 R] >>",
        b"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /DW 1000"
        b" /CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 2 >> /FontDescriptor 7 0 R >>",
        b"<< /Type /FontDescriptor /FontName /STSong-Light /Flags 6 /FontBBox [-25 -254 1000 880]"
        b" /ItalicAngle 0 /Ascent 880 /Descent -120 /CapHeight 880 /StemV 93 >>",
    )
    out, offsets = bytearray(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n"), []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    out += b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table) + (
        b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(out))
    )
    return bytes(out)


def _field(name: str, kind: str, zh: str, en: str, **more: str) -> dict[str, Any]:
    return {"id": name, "kind": kind, "required": True, "label": {"zh": zh, "en": en}, **more}


def _json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()
