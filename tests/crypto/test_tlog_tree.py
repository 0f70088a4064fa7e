"""The growing tree gives what the plain one gives, at every size it ever had."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto import digest
from crypto.errors import NoteRefused
from crypto.tlog import TilePath, Tree, entry_bundle, read_entry_bundle, read_tile_path
from crypto.tlog.tiles import tiles_of


def entries(size: int) -> list[bytes]:
    return [digest.sha256(number.to_bytes(4, "big")) for number in range(size)]


def leaves(size: int) -> list[bytes]:
    return [digest.leaf_hash(entry) for entry in entries(size)]


@given(size=st.integers(0, 300), data=st.data())
def test_roots_and_proofs_are_those_of_the_plain_tree_at_every_size(size: int, data: st.DataObject) -> None:
    tree = Tree(entries(size + 5))
    plain = leaves(size)
    assert tree.root(size) == digest.root(plain)
    old = data.draw(st.integers(0, size))
    assert tree.consistency_proof(old, size) == (digest.consistency_proof(plain, old) if old > 0 else [])
    if size:
        index = data.draw(st.integers(0, size - 1))
        assert tree.inclusion_proof(index, size) == digest.inclusion_proof(plain, index)
        assert tree.leaf(index) == plain[index]


@given(size=st.integers(0, 70), more=st.integers(0, 70))
def test_a_grown_tree_is_the_one_of_both_and_the_first_stays_as_it_was(size: int, more: int) -> None:
    tree, both = Tree(entries(size)), entries(size + more)
    assert tree.grown(both[size:]).root() == Tree(both).root()
    assert (len(tree), tree.root()) == (size, Tree(entries(size)).root())


def test_the_tree_of_nothing_has_the_root_of_nothing() -> None:
    assert Tree().root() == digest.sha256(b"")


def test_an_append_hashes_the_leaf_and_no_more_than_one_node_on_average(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = 0

    def counted(left: bytes, right: bytes) -> bytes:
        nonlocal hashed
        hashed += 1
        return digest.node_hash(left, right)

    monkeypatch.setattr("crypto.tlog.tree.node_hash", counted)
    tree = Tree(entries(20_000))
    assert hashed < 20_000
    hashed = 0
    tree.root()
    tree.inclusion_proof(7_777)
    tree.consistency_proof(12_345)
    assert hashed < 3 * 15


@pytest.mark.parametrize(
    "ask",
    [
        lambda tree: tree.root(6),
        lambda tree: tree.root(-1),
        lambda tree: tree.leaf(5),
        lambda tree: tree.inclusion_proof(5),
        lambda tree: tree.inclusion_proof(-1),
        lambda tree: tree.inclusion_proof(4, 4),
        lambda tree: tree.consistency_proof(4, 3),
        lambda tree: tree.consistency_proof(6),
        lambda tree: tree.consistency_proof(-1),
        lambda tree: TilePath(level=0, index=0).hashes(tree),
        lambda tree: TilePath(level=0, index=0, width=6).hashes(tree),
        lambda tree: TilePath(level=3, index=0, width=1).hashes(tree),
        lambda tree: TilePath(level=None, index=0, width=1).hashes(tree),
    ],
)
def test_what_is_not_in_the_tree_is_not_answered(ask: object) -> None:
    with pytest.raises(IndexError):
        ask(Tree(entries(5)))  # type: ignore[operator]


def test_a_log_of_70_000_entries_has_the_tiles_that_the_standard_counts() -> None:
    paths = [str(tile) for tile in tiles_of(70_000)]
    assert sum(path.startswith("0/") and ".p/" not in path for path in paths) == 273
    assert {path for path in paths if ".p/" in path} == {
        "0/273.p/112",
        "1/001.p/17",
        "2/000.p/1",
        "entries/273.p/112",
    }
    assert "1/000" in paths


def test_a_log_of_256_entries_has_one_full_tile_and_one_hash_above_it() -> None:
    assert [str(tile) for tile in tiles_of(256)] == ["0/000", "1/000.p/1", "entries/000"]


def test_every_tile_holds_the_hashes_of_its_subtrees() -> None:
    tree = Tree(entries(600))
    plain = leaves(600)
    for tile in tiles_of(600):
        assert tile.end <= 600
        if tile.level is not None:
            span = 256**tile.level
            first = tile.index * 256
            nodes = [digest.root(plain[at * span : (at + 1) * span]) for at in range(first, first + tile.width)]
            assert tile.hashes(tree) == b"".join(nodes)


@pytest.mark.parametrize(
    ("path", "tile"),
    [
        ("0/000", TilePath(level=0, index=0)),
        ("63/x001/x234/067", TilePath(level=63, index=1_234_067)),
        ("entries/x001/000.p/255", TilePath(level=None, index=1000, width=255)),
    ],
)
def test_a_path_names_one_tile(path: str, tile: TilePath) -> None:
    assert read_tile_path(path) == tile
    assert str(tile) == path


@pytest.mark.parametrize(
    "path",
    ["00/000", "64/000", "0/0", "0/x000/001", "0/1000", "0/000.p/0", "0/000.p/256", "0/000.p/01", "0/000/", "-1/000",
     "entries/000.p/", "0/x001/x00/000", "0/000\n", "0/٠٠٠"],
)  # fmt: skip
def test_another_spelling_of_a_path_is_refused(path: str) -> None:
    with pytest.raises(NoteRefused):
        read_tile_path(path)


def test_a_bundle_gives_its_entries_back() -> None:
    some = [b"", b"x" * 65_535, *entries(3)]
    assert read_entry_bundle(entry_bundle(some)) == some


def test_a_bundle_cut_short_is_refused() -> None:
    with pytest.raises(NoteRefused):
        read_entry_bundle(entry_bundle(entries(2))[:-1])
