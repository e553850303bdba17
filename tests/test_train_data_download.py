"""Data are found where the user says, else fetched once: resumed, verified, unpacked safely, or clear about why not."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("rich", reason="downloads draw a progress bar with rich")

from device_runtime.errors import InputError
from train.data.download import Archive, find

HOME = "https://example.org/words"


def holds(folder: Path) -> bool:
    return (folder / "testing_list.txt").is_file()


def packed(names: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in names.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def archive_bytes() -> bytes:
    # Incompressible, so that the archive is long enough to break off in the middle.
    noise = b"".join(hashlib.sha256(bytes([i % 256, i // 256])).digest() for i in range(4000))
    return packed({"top-1.0/testing_list.txt": b"yes/a.wav\n", "top-1.0/yes/a.wav": noise})


class Home(BaseHTTPRequestHandler):
    """A server that can break off, refuse ranges, or have nothing."""

    def do_GET(self):
        server = self.server
        server.requests.append(self.headers.get("Range"))
        content, start = server.content, 0
        if content is None:
            return self.send_error(404)
        wanted = self.headers.get("Range")
        if wanted and server.ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                return self.end_headers()
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stop = server.breaks.pop(0) if server.breaks else len(content)
        self.wfile.write(content[start:stop])
        self.wfile.flush()
        return None

    def log_message(self, *_args):
        pass


@pytest.fixture
def home(archive_bytes):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Home)
    server.content, server.ranges, server.breaks, server.requests = archive_bytes, True, [], []
    server.url = f"http://127.0.0.1:{server.server_port}/words.tar.gz"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYRNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TINYRNN_DATA", raising=False)
    return tmp_path / "cache"


def archive(home, content: bytes | None = None) -> Archive:
    return Archive(home.url, sha256=hashlib.sha256(home.content if content is None else content).hexdigest())


def put(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "testing_list.txt").touch()
    return folder


@pytest.mark.parametrize("below", ["speech/words", "series/words", "words", "."])
def test_the_data_variable_may_name_the_set_or_a_folder_above_it(below, tmp_path, monkeypatch):
    folder = put(tmp_path / "data" / below)
    monkeypatch.setenv("TINYRNN_DATA", str(tmp_path / "data"))
    assert find("words", holds, None, HOME).resolve() == folder.resolve()
    monkeypatch.setenv("TINYRNN_DATA", "/nowhere")
    assert find("words", holds, None, HOME, data=tmp_path / "data").resolve() == folder.resolve()


def test_a_set_in_a_folder_of_its_kind_is_found_by_its_own_name_too(tmp_path):
    folder = put(tmp_path / "prompts")
    assert find("negatives/prompts", holds, None, HOME, data=tmp_path) == folder


def test_a_missing_folder_and_a_folder_without_the_set_are_told_apart(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="there is no data folder /nowhere"):
        find("words", holds, None, HOME, data=Path("/nowhere"))
    with pytest.raises(
        InputError, match=f"does not hold words. Expected words, speech/words or series/words in it: see {HOME}"
    ):
        find("words", holds, None, HOME, data=tmp_path)
    with pytest.raises(InputError, match=f"words is not on this machine. Get it from {HOME}"):
        find("words", holds, None, HOME)
    monkeypatch.setenv("TINYRNN_DATA", "/nowhere")
    with pytest.raises(InputError, match="there is no data folder /nowhere"):
        find("words", holds, None, HOME)


def test_the_official_archive_is_fetched_once(home, cache, capsys):
    folder = find("words", holds, archive(home), HOME)
    assert folder == cache / "data" / "words"
    assert (folder / "yes" / "a.wav").stat().st_size == 4000 * 32
    assert find("words", holds, archive(home), HOME) == folder
    assert len(home.requests) == 1
    assert "words.tar.gz" in capsys.readouterr().err
    left = [path.name for path in (cache / "downloads").iterdir()] + [path.name for path in (cache / "data").iterdir()]
    assert left == ["words.tar.lock", "words"]


def test_a_transfer_that_breaks_off_goes_on_where_it_stopped(home):
    home.breaks = [50_000, 90_000]
    assert holds(find("words", holds, archive(home), HOME))
    assert home.requests == [None, "bytes=50000-", "bytes=90000-"]


def test_a_later_run_goes_on_where_this_one_stopped(home):
    home.breaks = [10_000, 20_000, 30_000]
    with pytest.raises(InputError, match=r"cannot be fetched \(.*\). Run the same command again to go on"):
        find("words", holds, archive(home), HOME)
    assert holds(find("words", holds, archive(home), HOME))
    assert home.requests[-1] == "bytes=30000-"


def test_a_server_that_cannot_resume_starts_again(home):
    home.breaks, home.ranges = [50_000], False
    assert holds(find("words", holds, archive(home), HOME))


def test_a_transfer_that_was_whole_already_is_not_repeated(home, cache):
    (cache / "downloads").mkdir(parents=True)
    (cache / "downloads" / "words.tar.partial").write_bytes(home.content)
    assert holds(find("words", holds, archive(home), HOME))


def test_what_is_longer_than_the_archive_is_thrown_away(home, cache):
    (cache / "downloads").mkdir(parents=True)
    (cache / "downloads" / "words.tar.partial").write_bytes(home.content + b"more")
    assert holds(find("words", holds, archive(home), HOME))
    assert home.requests == [f"bytes={len(home.content) + 4}-", None]


def test_a_wrong_hash_removes_the_file(home, cache):
    with pytest.raises(InputError, match=r"arrived with SHA-256 [0-9a-f]{64}, expected [0-9a-f]{64}"):
        find("words", holds, archive(home, b"other"), HOME)
    assert [path.name for path in (cache / "downloads").iterdir()] == ["words.tar.lock"]
    assert list((cache / "data").iterdir()) == []


def test_an_address_without_the_archive_says_what_to_do(home):
    home.content = None
    with pytest.raises(InputError, match=r"answers 404 Not Found.*unpack it to .*words, or name .* in TINYRNN_DATA"):
        find("words", holds, Archive(home.url), HOME)


def test_no_network_says_what_to_do(cache):
    with pytest.raises(InputError, match=r"cannot be fetched \(.*refused.*\).*or name the folder"):
        find("words", holds, Archive("http://127.0.0.1:9/words.tar.gz"), HOME)


def test_an_archive_never_writes_outside_its_folder(home, cache, tmp_path):
    home.content = packed({"testing_list.txt": b"", "../../../outside.txt": b"!"})
    with pytest.raises(InputError, match="not an archive that can be unpacked safely: .*outside"):
        find("words", holds, archive(home), HOME)
    assert not list(tmp_path.rglob("outside.txt"))
    assert list((cache / "data").iterdir()) == []


def test_what_is_no_archive_is_removed(home, cache):
    home.content = b"<html>moved</html>"
    with pytest.raises(InputError, match="not an archive that can be unpacked safely"):
        find("words", holds, Archive(home.url), HOME)
    assert not (cache / "downloads" / "words.tar.gz").exists()


def test_half_an_archive_without_a_hash_is_not_a_data_set(home, cache):
    home.content = home.content[:-5000]
    with pytest.raises(InputError, match="not an archive that can be unpacked safely"):
        find("words", holds, Archive(home.url), HOME)
    assert list((cache / "data").iterdir()) == []


def test_an_archive_of_something_else_is_not_taken_for_the_data_set(home, cache):
    home.content = packed({"top/readme.txt": b"moved"})
    with pytest.raises(InputError, match="does not hold the data set in its published layout"):
        find("words", holds, archive(home), HOME)
    assert list((cache / "data").iterdir()) == []


def test_a_full_disk_says_so_and_leaves_no_half_of_a_data_set(home, cache, monkeypatch):
    def no_room(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "extractall", no_room)
    with pytest.raises(InputError, match=r"no space left for words in .*cache.*TINYRNN_CACHE"):
        find("words", holds, archive(home), HOME)
    assert list((cache / "data").iterdir()) == []
    monkeypatch.undo()
    monkeypatch.setenv("TINYRNN_CACHE", str(cache))
    assert holds(find("words", holds, archive(home), HOME))
    assert len(home.requests) == 1, "what had arrived was kept"


def test_other_trouble_with_the_disk_is_not_taken_for_a_full_one(home, monkeypatch):
    def forbidden(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tarfile.TarFile, "extractall", forbidden)
    with pytest.raises(PermissionError):
        find("words", holds, archive(home), HOME)


def test_processes_that_start_together_fetch_once(home):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(find("words", holds, archive(home), HOME))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 3
    assert len(home.requests) == 1


def test_an_archive_has_a_whole_hash_or_is_known_to_have_none():
    from train.data import arabic, digits, speech_commands

    for official in (speech_commands.ARCHIVE, digits.ARCHIVE):
        assert len(bytes.fromhex(official.sha256)) == 32
    assert arabic.ARCHIVE.sha256 == "", "its site packs it on request; its csv tables are what it is held to"


def test_files_of_an_archive_that_is_packed_anew_are_verified_one_by_one(home, cache):
    digest = hashlib.sha256(b"yes/a.wav\n").hexdigest()
    folder = find("words", holds, Archive(home.url, files=(("testing_list.txt", digest),)), HOME)
    assert (folder / "testing_list.txt").read_bytes() == b"yes/a.wav\n"


@pytest.mark.parametrize(("name", "arrived"), [("testing_list.txt", "[0-9a-f]{64}"), ("absent.txt", "none")])
def test_an_altered_or_absent_file_of_an_archive_is_named(name, arrived, home, cache):
    with pytest.raises(
        InputError, match=f"arrived with SHA-256 {arrived} of {name}, expected 0123. It was altered, and was removed"
    ):
        find("words", holds, Archive(home.url, files=((name, "0123"),)), HOME)
    assert not (cache / "data" / "words").exists()
    assert not (cache / "downloads" / "words.tar.gz").exists()


def test_a_set_deeper_in_the_archive_is_found_and_alone_is_kept(home):
    home.content = packed({"top/README": b"", "top/small/testing_list.txt": b"yes/a.wav\n"})
    folder = find("words", holds, archive(home), HOME)
    assert [path.name for path in folder.iterdir()] == ["testing_list.txt"]
