"""The unseal bench measures what it says: everyone ends with the same bytes."""

from pathlib import Path

from web.bench import unseal


def test_a_small_run_reports_every_contestant_with_a_ratio(tmp_path: Path) -> None:
    report = unseal.measure(tmp_path, size=100_000, files=2, rounds=1)
    expected = {"kaibiao, written", "kaibiao, written and re-hashed", "openssl enc -d -aes-256-ctr"}
    assert expected <= set(report["cases"])
    for figures in report["cases"].values():
        assert figures["mb_per_s"] > 0
        assert figures["ratio_to_openssl"] > 0
        assert len(figures["seconds"]) == 1
    assert report["cases"]["openssl enc -d -aes-256-ctr"]["ratio_to_openssl"] == 1


def test_ours_opens_to_the_document_the_others_were_given(tmp_path: Path) -> None:
    bid = unseal._prepare(tmp_path, 0, 3_000_000, None)
    pieces: list[bytes] = []
    unseal._unseal(bid, lambda piece: pieces.append(bytes(piece)))
    assert b"".join(pieces) == bid.plain.read_bytes()
