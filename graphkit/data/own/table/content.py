"""The text of a user's file: compression and kind told by its first bytes, encoding by its mark or as asked."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from graphkit.data.readers.inputs import InputFile
from graphkit.data.readers.rows import LONGEST_LINE
from graphkit.errors import DataError, shown

_PACKED = ((b"\x1f\x8b", "gzip"), (b"BZh", "bz2"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"\xfd7zXZ\x00", "xz"))
_FOREIGN = (
    (b"PK\x03\x04", "a zip archive or a spreadsheet", "unpack it, or save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet", "save it as CSV"),
    (b"ARROW1", "an Arrow file", "save it as Parquet or CSV"),
    (b"\x89HDF", "an HDF5 file", "save it as Parquet or CSV"),
    (b"\x93NUMPY", "a NumPy array", "hand the array over in Python, run(data={...}), or save it as CSV"),
    (b"SQLite format 3", "an SQLite database", "export the table as CSV"),
    (b"%PDF", "a PDF document", "name a table"),
    (b"\x80\x04\x95", "a pickle", "save it as CSV; pickles are never opened"),
    (b"\x80\x05\x95", "a pickle", "save it as CSV; pickles are never opened"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it"),
    (b"Rar!", "a rar archive", "unpack it"),
)
_PAGE = (b"<!doctype html", b"<html")
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
          (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip
_CHUNK = 1 << 20
PARQUET = b"PAR1"


@dataclass(frozen=True)
class Content:
    """Bytes of a file, unpacked.

    Attributes:
        data: The bytes.
        packed: How the file was packed, e.g. `gzip`; empty where it was not.
    """

    data: bytes
    packed: str = ""

    @property
    def parquet(self) -> bool:
        """Whether this is a Parquet file."""
        return self.data.startswith(PARQUET)


def read_content(path: Path | InputFile) -> Content:
    """Read a file to its end and unpack it: gzip, bz2, xz, zstd.

    Raises:
        DataError: If it cannot be read, is damaged, or is no table: an archive, a spreadsheet, a page of a website.
    """
    try:
        with path.open("rb") as file:
            head: bytes = file.peek(16)[:16]  # type: ignore[union-attr]  # both are buffered
            packed = next((name for mark, name in _PACKED if head.startswith(mark)), "")
            data = b"".join(_chunks(path, _unpacked(path, file, packed)))
            while file.read(_CHUNK):  # what follows the packed data belongs to the digest, too
                pass
    except OSError as error:
        if isinstance(error, gzip.BadGzipFile) or (error.errno is None and error.strerror is None):
            raise _damaged(path, packed, error) from error
        raise DataError(f"{path} cannot be read ({error.strerror}): name an existing file") from error
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        raise _damaged(path, packed, error) from error
    for mark, what, advice in _FOREIGN:
        if data.startswith(mark):
            raise DataError(f"{path} is {what}, no table: {advice}")
    if data[:64].lstrip().lower().startswith(_PAGE):
        raise DataError(f"{path} is a page of a website (HTML), no table: download the file itself")
    return Content(data, packed)


def _unpacked(path: Path | InputFile, file: IO[bytes], packed: str) -> IO[bytes]:
    if packed == "gzip":
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if packed == "bz2":
        return bz2.BZ2File(file)
    if packed == "xz":
        return lzma.LZMAFile(file)
    if packed == "zstd":
        try:
            import pyarrow
        except ImportError:
            raise DataError(f"{path} is packed with zstd: install the extra 'parquet', or unpack it") from None
        stream: IO[bytes] = pyarrow.input_stream(pyarrow.py_buffer(file.read()), compression="zstd")
        return stream
    return file


def _chunks(path: Path | InputFile, stream: IO[bytes]) -> Iterator[bytes]:
    """The content piece by piece; without a line end for too long it is no table, and could fill the memory."""
    begun, line = 0, 0
    while chunk := stream.read(_CHUNK):
        if begun == 0 and chunk.startswith(PARQUET):
            line = -(1 << 62)  # has no lines
        begun += len(chunk)
        line = line + len(chunk) if b"\n" not in chunk and b"\r" not in chunk else len(chunk)
        if line > 4 * LONGEST_LINE:
            raise DataError(f"{path} has a line longer than {LONGEST_LINE:,} characters: write one row per line")
        yield chunk


def _damaged(path: Path | InputFile, packed: str, error: Exception) -> DataError:
    reason = shown(str(error) or type(error).__name__)
    return DataError(f"{path} is {packed or 'packed'} and damaged or cut off ({reason}): copy or download it again")


def in_utf8(path: Path | InputFile, data: bytes, encoding: str = "auto") -> tuple[bytes, str]:
    """The text of a file in UTF-8 without its byte order mark, and the name of its encoding.

    Args:
        path: The file, for messages.
        data: Its bytes.
        encoding: A name that Python knows; `auto`: that of the byte order mark, else UTF-8.

    Raises:
        DataError: If the bytes are no text in that encoding.
    """
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), "")
    try:
        chosen = marked or "utf-8" if encoding == "auto" else codecs.lookup(encoding).name
    except LookupError:
        raise DataError(f"data.encoding={shown(encoding)} is unknown: give e.g. utf-8, latin-1, cp1252 or utf-16") from None
    try:
        if chosen == "utf-8":
            data = data.removeprefix(codecs.BOM_UTF8)
            if not data.isascii():
                data.decode()  # raises where it is none
        else:
            text = data.decode(chosen)
            data = (text.removeprefix("\ufeff") if chosen.endswith(("-le", "-be")) else text).encode()  # others took it off
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        if encoding == "auto" and not marked:
            advice = "save it in UTF-8, or give its encoding, e.g. data.encoding=latin-1, cp1252 or utf-16"
            raise DataError(f"{path} is not text in UTF-8 (byte 0x{data[error.start]:02x} in line {line}): {advice}") from error
        raise DataError(f"{path} is not text in {chosen} (line {line}): give the right data.encoding=") from error
    except (UnicodeError, LookupError) as error:
        raise DataError(f"{path} is not text in {chosen}: give the right data.encoding=") from error
    if longest := _too_long(data):
        raise DataError(f"{path}, line {longest}: longer than {LONGEST_LINE:,} characters: write one row per line")
    return data, chosen


def stream_of(data: bytes) -> io.TextIOWrapper:
    """A text in UTF-8 line by line, whatever ends its lines."""
    return io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")


def _too_long(data: bytes) -> int:
    """The first line that is too long, 0 where there is none."""
    half = LONGEST_LINE // 2  # a longer line fills one of these parts of the file
    parts = ((at, at + half) for at in range(0, len(data) - half + 1, half))
    if all(data.find(b"\n", *part) >= 0 or data.find(b"\r", *part) >= 0 for part in parts):
        return 0
    return next((k for k, line in enumerate(stream_of(data), 1) if len(line) > LONGEST_LINE), 0)
