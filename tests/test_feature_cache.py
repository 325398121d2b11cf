import multiprocessing
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skltransfer._features import records
from skltransfer._features.cache import FolderStore, ProcessStore, store_for
from skltransfer._utils.files import ABANDONED, written_whole
from skltransfer._utils.hashing import content_hash
from skltransfer._utils.lru import ENTRY_BYTES, ByteLRU

SPACE = content_hash("space")


def rows(start, stop, width=8):
    return {content_hash(str(i)): np.full(width, i, dtype=np.float32) for i in range(start, stop)}


@given(hnp.arrays(st.sampled_from([np.uint8, np.float32]), hnp.array_shapes(), elements=st.integers(0, 3)))
def test_hash_depends_on_content_dtype_and_shape_alone(array):
    assert content_hash(array) == content_hash(array.copy())
    assert content_hash(array) != content_hash(array + array.dtype.type(1))
    assert content_hash(array) != content_hash(array.astype(np.float64))
    assert content_hash(array) != content_hash(array[None])


def test_lru_stays_within_its_bytes_and_forgets_the_oldest():
    lru = ByteLRU(5 * (20 + ENTRY_BYTES))
    for i in range(10):
        lru.put(bytes([i]), i, 20)
        lru.get(b"\x00")
    assert lru.n_bytes == lru.max_bytes
    assert lru.get(b"\x00") == 0
    assert lru.get(b"\x05") is None
    assert lru.get(b"\x06") == 6
    assert lru.get(b"\x09") == 9


def test_value_larger_than_the_room_is_not_kept():
    lru = ByteLRU(10 + ENTRY_BYTES)
    lru.put(b"k", "v", 11)
    assert lru.get(b"k") is None
    assert lru.n_bytes == 0


def test_process_store_is_bounded():
    store = ProcessStore(max_bytes=10 * (32 + ENTRY_BYTES))
    store.keep(SPACE, rows(0, 25))
    assert store.n_bytes == store.max_bytes
    assert set(store.find(SPACE, list(rows(0, 25)))) == set(rows(15, 25))


@pytest.mark.parametrize(("width", "kept"), [(2, 64), (1000, 1)], ids=["tiny features", "one sample of each batch"])
def test_process_store_counts_all_that_it_takes(width, kept):
    room = 2**21
    store = ProcessStore(room)
    tracemalloc.start()
    for number in range(300):
        batch = np.ones((64, width), np.float32)
        digests = [content_hash(str((number, i))) for i in range(kept)]
        for _ in range(1 if kept == 64 else 3):
            store.keep(SPACE, dict(zip(digests, batch, strict=False)))
    entries = len(store)
    del batch, digests
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert store.n_bytes == entries * (4 * width + ENTRY_BYTES) <= room
    assert 0.5 * store.n_bytes < taken < 1.1 * store.n_bytes


@pytest.fixture
def fallback():
    return ProcessStore(max_bytes=2**20)


def test_folder_is_shared_by_stores(tmp_path, fallback):
    FolderStore(tmp_path, fallback).keep(SPACE, rows(0, 5))
    reader = FolderStore(tmp_path, fallback)
    found = reader.find(SPACE, list(rows(0, 9)))
    assert set(found) == set(rows(0, 5))
    for digest, row in rows(0, 5).items():
        np.testing.assert_array_equal(found[digest], row)
    FolderStore(tmp_path, fallback).keep(SPACE, rows(5, 9))
    assert len(reader.find(SPACE, list(rows(0, 9)))) == 9
    assert reader.find(content_hash("other"), list(rows(0, 9))) == {}


def flipped(content, found):
    place = content.index(found)
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


DAMAGES = {
    "truncated": lambda content: content[: -5 * 32 // 2],
    "a feature": lambda content: flipped(content, np.float32(3).tobytes()),
    "the shape": lambda content: content.replace(b'"shape": [8]', b'"shape": [4]'),
    "the dtype": lambda content: content.replace(b"<f4", b"<i4"),
    "a digest": lambda content: flipped(content, content_hash("3")),
    "the number of samples": lambda content: flipped(content, struct.pack("<Q", 5)),
    "the length": lambda content: flipped(content, struct.pack("<Q", 5 * 32)),
    "empty": lambda content: b"",
    "text": lambda content: b"no features at all, but a text that is longer than a head",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_features_are_computed_again(tmp_path, fallback, damage):
    FolderStore(tmp_path, fallback).keep(SPACE, rows(0, 5))
    (file,) = tmp_path.rglob("*.features")
    damaged = DAMAGES[damage](file.read_bytes())
    assert damaged != file.read_bytes()
    file.write_bytes(damaged)
    store = FolderStore(tmp_path, fallback)
    found = store.find(SPACE, list(rows(0, 5)))
    assert content_hash("3") not in found
    store.keep(SPACE, {digest: row for digest, row in rows(0, 5).items() if digest not in found})
    found = store.find(SPACE, list(rows(0, 5)))
    for digest, row in rows(0, 5).items():
        np.testing.assert_array_equal(found[digest], row)


IMPOSSIBLE = (
    "{", '{"shape": [8]}', '{"dtype": "<f4", "shape": 8}', '{"dtype": "O", "shape": [4]}',
    '{"dtype": "<f4", "shape": [2.0, 4]}', '{"dtype": "<f4", "shape": [-2, -4]}',
)  # fmt: skip


@pytest.mark.parametrize("content", IMPOSSIBLE)
def test_records_that_say_what_cannot_be_are_passed_over(tmp_path, fallback, content):
    index = records.ENTRY.pack(content_hash("0"), 0) + content.encode()
    head = records.HEAD.pack(records.MAGIC, 1, len(index), 32)
    place = tmp_path / SPACE.hex()
    place.mkdir()
    (place / "1.features").write_bytes(head + content_hash(head, index) + index + bytes(32))
    assert FolderStore(tmp_path, fallback).find(SPACE, list(rows(0, 1))) == {}


def test_samples_of_other_shapes_and_dtypes_in_one_call(tmp_path, fallback):
    kinds = [np.ones(3, "f4"), np.ones((2, 3)), np.full((), 2.0), np.zeros((0, 4), "f4"), np.ones(3)]
    samples = {content_hash(str(i)): array for i, array in enumerate(kinds)}
    FolderStore(tmp_path, fallback).keep(SPACE, samples)
    found = FolderStore(tmp_path, fallback).find(SPACE, list(samples))
    for digest, array in samples.items():
        assert (found[digest].shape, found[digest].dtype) == (array.shape, array.dtype)
        np.testing.assert_array_equal(found[digest], array)


def test_samples_one_at_a_time_are_one_file_of_which_each_record_is_read_once(tmp_path, fallback, monkeypatch):
    store, writer = FolderStore(tmp_path, fallback), FolderStore(tmp_path, fallback)
    starts, once = [], records._next
    monkeypatch.setattr(records, "_next", lambda *a: starts.append(a[1]) or once(*a))
    for digest, row in rows(0, 100).items():
        assert store.find(SPACE, [digest]) == {}
        writer.keep(SPACE, {digest: row})
    assert len(store.find(SPACE, list(rows(0, 100)))) == 100
    assert len(list(tmp_path.rglob("*.features"))) == 1
    assert len(starts) <= 2 * 100  # each record, and where the next one will be


def test_forked_writers_have_files_of_their_own(tmp_path, fallback):
    store = FolderStore(tmp_path, fallback)
    store.keep(SPACE, rows(0, 3))
    own, store._name = store._name, f"1-{store._name}"  # as in a child, which has another number
    store.keep(SPACE, rows(3, 6))
    assert store._name != own
    assert len(list(tmp_path.rglob("*.features"))) == 2
    assert len(store.find(SPACE, list(rows(0, 6)))) == 6


WRITER = """
import sys
import numpy as np
from skltransfer._features.cache import FolderStore, ProcessStore
from skltransfer._utils.hashing import content_hash
store = FolderStore(sys.argv[1], ProcessStore(2**20))
print("ready", flush=True)
i = 0
while True:
    store.keep(content_hash("space"), {content_hash(str(i)): np.full(200_000, i, dtype=np.float32)})
    i += 1
"""


def test_killed_writer_leaves_nothing_that_is_read(tmp_path, fallback):
    for delay in (0.05, 0.11, 0.17):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
    found = FolderStore(tmp_path, fallback).find(SPACE, [content_hash(str(i)) for i in range(2000)])
    assert found
    for i in range(2000):
        row = found.get(content_hash(str(i)))
        assert row is None or (row == i).all()


def _write_many(folder, start):
    store = FolderStore(folder, ProcessStore(2**20))
    for i in range(start, start + 20):
        store.keep(SPACE, rows(i, i + 3))


def test_concurrent_writers_lose_nothing(tmp_path, fallback):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(tmp_path, start)) for start in (0, 10)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    found = FolderStore(tmp_path, fallback).find(SPACE, list(rows(0, 32)))
    for digest, row in rows(0, 32).items():
        np.testing.assert_array_equal(found[digest], row)


def test_unwritable_folder_warns_once_and_loses_nothing(tmp_path, fallback):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    store = FolderStore(blocked, fallback)
    with pytest.warns(UserWarning, match=r"memory=.*cannot be written .*cached in this process only, until it can"):
        store.keep(SPACE, rows(0, 3))
    store.keep(SPACE, rows(3, 6))
    assert len(store.find(SPACE, list(rows(0, 6)))) == 6


def test_folder_is_written_again_once_it_can_be(tmp_path, fallback):
    blocked = tmp_path / "folder"
    blocked.write_text("in the way")
    store = FolderStore(blocked, fallback)
    for start in (0, 10):
        with pytest.warns(UserWarning, match="cannot be written"):
            store.keep(SPACE, rows(start, start + 3))
        blocked.unlink()
        store.keep(SPACE, rows(start + 3, start + 6))
        assert set(FolderStore(blocked, fallback).find(SPACE, list(rows(0, 20)))) == set(rows(start + 3, start + 6))
        assert set(rows(start, start + 6)) <= set(store.find(SPACE, list(rows(0, 20))))
        shutil.rmtree(blocked)
        blocked.write_text("in the way again")


def test_interrupted_write_leaves_nothing(tmp_path, fallback, monkeypatch):
    store, checksum, n_left = FolderStore(tmp_path, fallback), records._checksum, [5]

    def interrupted(*arguments):
        n_left[0] -= 1
        if n_left[0] == 0:
            raise KeyboardInterrupt("in the middle")
        return checksum(*arguments)

    monkeypatch.setattr(records, "_checksum", interrupted)
    store.keep(SPACE, rows(0, 3))
    odd = {content_hash("other"): np.ones(1), **rows(3, 6)}
    with pytest.raises(KeyboardInterrupt, match="in the middle"):
        store.keep(SPACE, odd)
    store.keep(SPACE, rows(6, 9))
    found = FolderStore(tmp_path, fallback).find(SPACE, [*odd, *rows(0, 9)])
    assert set(found) == {*rows(0, 3), *rows(6, 9)}


FULL_DISK = """
import resource, signal, sys, warnings
import numpy as np
from skltransfer._features.cache import FolderStore, ProcessStore
from skltransfer._utils.hashing import content_hash
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
store = FolderStore(sys.argv[1], ProcessStore(2**24))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for i in range(3):
        store.keep(b"s" * 16, {content_hash(str(i)): np.full(1000, i, dtype=np.float32)})
assert len(caught) == 1, caught
assert "cannot be written" in str(caught[0].message)
assert len(store.find(b"s" * 16, [content_hash(str(i)) for i in range(3)])) == 3
"""


def test_full_disk_warns_once_loses_nothing_and_leaves_no_scraps(tmp_path):
    subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path)], check=True)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


READ_ONLY = """
import os, sys, warnings
import numpy as np
from skltransfer._features.cache import FolderStore, ProcessStore
from skltransfer._utils.hashing import content_hash
if os.geteuid() == 0:
    os.seteuid(65534)  # root may write everywhere
store = FolderStore(sys.argv[1], ProcessStore(2**24))
digest = content_hash("row")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    store.keep(b"s" * 16, {digest: np.ones(3, dtype=np.float32)})
assert "cannot be written (Permission denied)" in str(caught[0].message), caught
assert store.find(b"s" * 16, [digest])[digest].sum() == 3
"""


def test_read_only_folder_warns_and_loses_nothing(tmp_path):
    tmp_path.chmod(0o500)
    subprocess.run([sys.executable, "-c", READ_ONLY, str(tmp_path)], check=True)


def test_same_folder_is_one_store(tmp_path):
    assert store_for(tmp_path) is store_for(str(tmp_path))


def test_what_killed_writers_left_is_removed_in_time(tmp_path):
    path = tmp_path / "state.npz"
    names = ["state.npz.a1.tmp", "state.npz.b2.tmp", "other.npz.c3.tmp"]
    for name in names:
        (tmp_path / name).write_bytes(b"half")
    for name in (names[0], names[2]):
        os.utime(tmp_path / name, (0, time.time() - 2 * ABANDONED))
    with written_whole(path) as file:
        file.write(b"whole")
    assert path.read_bytes() == b"whole"
    assert sorted(left.name for left in tmp_path.iterdir()) == sorted([*names[1:], "state.npz"])
