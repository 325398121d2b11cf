import multiprocessing
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skltransfer._features.cache import FolderStore, ProcessStore, store_for
from skltransfer._utils.hashing import content_hash
from skltransfer._utils.lru import ByteLRU

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
    lru = ByteLRU(100)
    for i in range(10):
        lru.put(bytes([i]), i, 20)
        lru.get(b"\x00")
    assert lru.n_bytes <= 100
    assert lru.get(b"\x00") == 0
    assert lru.get(b"\x01") is None
    assert lru.get(b"\x09") == 9


def test_value_larger_than_the_room_is_not_kept():
    lru = ByteLRU(10)
    lru.put(b"k", "v", 11)
    assert lru.get(b"k") is None
    assert lru.n_bytes == 0


def test_process_store_is_bounded():
    store = ProcessStore(max_bytes=10 * 32)
    store.keep(SPACE, rows(0, 25))
    assert store.n_bytes <= 320
    assert set(store.find(SPACE, list(rows(0, 25)))) == set(rows(15, 25))


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


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "text"])
def test_damaged_file_is_passed_over(tmp_path, fallback, damage):
    FolderStore(tmp_path, fallback).keep(SPACE, rows(0, 5))
    (file,) = tmp_path.rglob("*.npz")
    content = bytearray(file.read_bytes())
    place = content.rindex(np.float32(3).tobytes())
    content[place : place + 4] = np.float32(777).tobytes()
    file.write_bytes({"truncate": content[:-40], "flip": content, "empty": b"", "text": b"not an archive"}[damage])
    store = FolderStore(tmp_path, fallback)
    assert store.find(SPACE, list(rows(0, 5))) == {}
    store.keep(SPACE, rows(0, 5))
    assert len(store.find(SPACE, list(rows(0, 5)))) == 5


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
    with pytest.warns(UserWarning, match=r"memory=.*cannot be written .*cached in this process only"):
        store.keep(SPACE, rows(0, 3))
    store.keep(SPACE, rows(3, 6))
    assert len(store.find(SPACE, list(rows(0, 6)))) == 6


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
