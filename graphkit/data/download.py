"""Files of published data sets: found under the data root, else fetched from the publisher's address; always checked.

Kept beside libraries such as pooch for what they lack: a time limit on name servers, a least rate, a size limit, git's ids as
checksums, members of an archive taken by name alone, and advice on how to fetch by hand.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import ipaddress
import shutil
import struct
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from graphkit.data.catalog import DataFile, DatasetEntry
from graphkit.data.counted_http import GivenUp, Limits, open_url
from graphkit.errors import DataError, shown

TIMEOUT = 5.0
"""Seconds that a name look-up, a connection or a silent server may take."""
RATE, RATE_WINDOW = 1_000, 60.0
"""Bytes per second that a server must send, over as many seconds."""
LARGEST = 2 << 30
"""Most bytes of a file, as it is sent or as it is unpacked; no file of the catalog comes near."""

_CHUNK = 1 << 18


class _Failed(Exception):
    """Why a download did not work, in a few words."""


def ensure(entry: DatasetEntry, root: Path) -> None:
    """Make a data set's files lie under the data root, each with its published checksum.

    Args:
        entry: The data set.
        root: The data root; it is written to only where files are missing.

    Raises:
        DataError: If a file is not what was published, or is missing and cannot be fetched.
    """
    present = [file for file in entry.files if (root / file.path).is_file()]
    missing = [file for file in entry.files if file not in present]
    for file in present:
        if not _matches(root / file.path, file):
            raise DataError(
                f"{root / file.path} does not match its published checksum, so it was truncated or changed: "
                "delete it and load again to download it"
            )
    try:
        for url in dict.fromkeys(file.url for file in missing):
            _provide(url, [file for file in missing if file.url == url], root)
    except _Failed as failure:
        raise DataError(_by_hand(entry, root, missing, str(failure))) from failure


def _provide(url: str, files: list[DataFile], root: Path) -> None:
    """Fetch one address and put the files it holds into place; of several that ask at once, the first one fetches."""
    with _writing(root):
        root.mkdir(parents=True, exist_ok=True)
        name = f"{_name(url)[:40]}.{hashlib.sha256(url.encode()).hexdigest()[:16]}"
        fetched = root / f".{name}.part"
        with _alone(root / f".{name}.lock", _name(url)):
            missing = [file for file in files if not (root / file.path).is_file()]
            if not missing:
                return
            try:
                with fetched.open("wb") as sink:
                    for chunk in _stream(url):
                        sink.write(chunk)
                if missing[0].member:
                    _unpack(fetched, missing, root)
                else:
                    _place(fetched, root / missing[0].path, missing[0])
            finally:
                fetched.unlink(missing_ok=True)


@contextmanager
def _alone(path: Path, name: str) -> Iterator[None]:
    """Hold a lock file, or wait for the process or thread that does; the system lets go of it when its process ends."""
    lock = FileLock(path)
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        console = Console(stderr=True)
        if console.is_terminal:
            console.print(f"waiting for another process that downloads {name}", markup=False)
        held = lock.acquire()
    with held:
        try:
            yield
        finally:
            path.unlink(missing_ok=True)  # while it is held: whoever waits sees that its file is gone, and asks again


def _stream(url: str) -> Iterator[bytes]:
    """The body of an address in chunks, with a progress bar on a terminal."""
    _look_up(url)
    try:
        with open_url(url, Limits(TIMEOUT, RATE_WINDOW, RATE, LARGEST)) as response:
            total = response.length
            if total is not None and total > LARGEST:
                raise _Failed(f"the server announces {total:,} bytes, and {LARGEST:,} are the most that is taken")
            received = 0
            with _progress() as progress:
                bar = progress.add_task(_name(url), total=total)
                while chunk := response.read(_CHUNK):
                    received += len(chunk)
                    progress.update(bar, completed=received, refresh=True)
                    yield chunk
            if total is not None and received != total:
                raise _Failed(f"the transfer ended after {received} of {total} bytes")
    except GivenUp as error:
        raise _Failed(str(error)) from error
    except urllib.error.HTTPError as error:
        error.close()
        raise _Failed(f"the server answered {error.code} {shown(str(error.reason))}") from error
    except TimeoutError as error:
        raise _Failed(f"no answer within {TIMEOUT:g} seconds") from error
    except urllib.error.URLError as error:
        late = isinstance(error.reason, TimeoutError)
        reason = f"no answer within {TIMEOUT:g} seconds" if late else f"no connection: {shown(str(error.reason))}"
        raise _Failed(reason) from error
    except (http.client.HTTPException, OSError, ValueError) as error:
        raise _Failed(f"the connection broke: {shown(repr(error))}") from error


def _look_up(url: str) -> None:
    """Resolve the host's name within the time limit, which neither a socket's timeout nor a signal can enforce."""
    host = _host(url)
    if _is_address(host):
        return
    command = [sys.executable, "-I", "-S", "-c", "import socket, sys; socket.getaddrinfo(sys.argv[1], None)", host]
    try:
        found = subprocess.run(command, timeout=TIMEOUT, capture_output=True, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        raise _Failed(f"no answer within {TIMEOUT:g} seconds to the question where {host} is") from error
    if found.returncode:
        raise _Failed(f"the name {host} is not known to this machine's network")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _host(url: str) -> str:
    """The host to be reached: the address's own, or that of a proxy which the environment names for it."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(host):
        return urlsplit(proxy if "://" in proxy else f"//{proxy}").hostname or host
    return host


def _unpack(archive: Path, files: list[DataFile], root: Path) -> None:
    """Take the wanted members, and nothing else, out of a zip archive: no name in it decides where anything is written."""
    try:
        with zipfile.ZipFile(archive) as source:
            for file in files:
                _check_member(source.getinfo(file.member))
                part = archive.with_name(f"{archive.name}.member")
                try:
                    with source.open(file.member) as content, part.open("wb") as sink:
                        shutil.copyfileobj(content, sink)
                    _place(part, root / file.path, file)
                finally:
                    part.unlink(missing_ok=True)
    except KeyError as error:
        raise _Failed(f"the archive does not hold {error.args[0]}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error, RuntimeError) as error:
        raise _Failed(f"what came is not a sound zip archive ({shown(str(error))})") from error


def _check_member(member: zipfile.ZipInfo) -> None:
    """Refuse a member that would fill the disk, or that is packed as no publisher packs."""
    if member.file_size > LARGEST:
        raise _Failed(f"{member.filename} in the archive has {member.file_size:,} bytes, more than {LARGEST:,}")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile(f"compression {member.compress_type} of {member.filename}")


def _place(fetched: Path, target: Path, file: DataFile) -> None:
    """Give a fetched file its name, if it is what was published."""
    if not _matches(fetched, file):
        raise _Failed(f"what came does not match the published checksum of {target.name}")
    target.parent.mkdir(parents=True, exist_ok=True)
    fetched.replace(target)


def _matches(path: Path, file: DataFile) -> bool:
    """Whether a file has its published checksum, or one of an equally good file."""
    return any(has_checksum(path, checksum) for checksum in (file.checksum, *file.also))


def has_checksum(path: Path, checksum: str) -> bool:
    """Whether a file has a SHA-256, or where 40 digits are given, git's id."""
    with path.open("rb") as content:
        if len(checksum) == 64:
            return hashlib.file_digest(content, "sha256").hexdigest() == checksum
        blob = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)  # git's id of a file
        while chunk := content.read(_CHUNK):
            blob.update(chunk)
        return blob.hexdigest() == checksum


@contextmanager
def _writing(root: Path) -> Iterator[None]:
    """Say where and why the system refuses to write."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "the disk is full: free space" if full else f"{error.strerror}: make it writable"
        raise _Failed(f"cannot write {error.filename or root}, {reason}") from error


def _progress() -> Progress:
    """A bar on stderr, redrawn by the download itself: rich would start a thread for it."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, auto_refresh=False, transient=True, disable=not console.is_terminal)


def _by_hand(entry: DatasetEntry, root: Path, missing: list[DataFile], reason: str) -> str:
    """What was looked for, what was tried, and what a person can do."""
    places: dict[Path, list[DataFile]] = {}
    for file in missing:
        inside = Path(file.path).parts[0] if file.member else Path(file.path).parent
        places.setdefault(root / inside, []).append(file)
    lacking = " and ".join(f"{place} (missing: {', '.join(map(_named, files))})" for place, files in places.items())
    addresses = [file.url if file.member else file.url.rsplit("/", 1)[0] + "/" for file in missing]
    where = " and ".join(map(str, places))
    steps = f"fetch them elsewhere and put them into {where}"
    if missing[0].member:
        archive, inside, _ = missing[0].member.partition("/")
        what = f"what its folder {archive}/ holds" if inside else archive
        steps = f"fetch that address elsewhere, unpack it, and move {what} into {where}"
    tops = " and ".join(dict.fromkeys(f"{Path(file.path).parts[0]}/" for file in entry.files))
    return (
        f"data set {entry.name!r} is not complete in {lacking} and cannot be downloaded from "
        f"{' and '.join(dict.fromkeys(addresses))}: {reason}. "
        f"By hand: {steps}; or set data.root= or GRAPHKIT_DATA to a folder that has {tops}."
    )


def _name(url: str) -> str:
    """The file's name at the publisher's."""
    return Path(urlsplit(url).path).name


def _named(file: DataFile) -> str:
    """A file's name here, and the publisher's where that is another."""
    name, published = Path(file.path).name, _name(file.url)
    return name if file.member or name == published else f"{name}, which is {published} there"
