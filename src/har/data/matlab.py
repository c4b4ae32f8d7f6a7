"""MATLAB 5 files that may be damaged: checked before scipy reads them, one kind of error.

scipy trusts the sizes that a file states: a few wrong bytes make it reserve gigabytes, or follow a
thousand nested cells. So the elements are walked first, and have to fill the file exactly.
Format: "MAT-File Format", The MathWorks, version 5.
"""

import io
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from har.errors import HarError

_HEADER_BYTES = 128
_MAX_BYTES = 1 << 30  # of a variable, unpacked; the official annotations are some 200 MB
_MAX_DEPTH = 24
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _CHAR = 1, 2, 4
_FLUSH = b"\x00\x00\xff\xff"  # two files of Penn Action end so, without zlib's checksum
_NUMBERS = range(6, 16)
_TAG = struct.Struct("<II")
_NUMBER_BYTES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8}  # by type
_TEXT_TYPES = (1, 2, 4, 16, 17, 18)  # of another type, even empty, scipy dies


def read_matlab(path: Path, *variables: str, error: type[HarError] = HarError) -> list[Any]:
    """Variables of a MATLAB 5 file, as scipy gives them with ``struct_as_record=False``.

    Args:
        path: of the file.
        variables: their names.
        error: what is raised, the error of the data set.

    Raises:
        HarError: no such file, not a MATLAB 5 file, damaged, or without one of the variables.
    """
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise error(f"{path} cannot be read: {problem.strerror}.") from problem
    if data[:8] == b"\x89HDF\r\n\x1a\n" or b"MATLAB 7.3" in data[:_HEADER_BYTES]:
        raise error(
            f"{path} is a MATLAB 7.3 file, which the original is not: take the original download, "
            "or save it in MATLAB with -v7."
        )
    try:
        _check_file(data)
        found = scipy.io.loadmat(
            io.BytesIO(data), struct_as_record=False, variable_names=list(variables)
        )
    except Exception as problem:  # scipy raises nearly everything for damaged files
        raise error(f"{path} is damaged or is not a MATLAB 5 file: download it again.") from problem
    missing = [name for name in variables if name not in found]
    if missing:
        raise error(
            f"{path} has no variable {missing[0]}: it is another file than its name states."
        )
    return [found[name] for name in variables]


def _require(fits: bool) -> None:
    if not fits:
        raise ValueError  # the elements of the file do not fit into each other


def _check_file(data: bytes) -> None:
    # A zero among the first four bytes would make scipy read the file as MATLAB 4's.
    _require(len(data) >= _HEADER_BYTES and data[124:128] == b"\x00\x01IM" and 0 not in data[:4])
    at = _HEADER_BYTES
    while at < len(data):
        kind, size = _TAG.unpack_from(data, at)
        content = data[at + 8 : at + 8 + size]
        _require(len(content) == size)
        start, end = 0, size
        if kind == _COMPRESSED:
            unpacker = zlib.decompressobj()
            flushed = content.endswith(_FLUSH)
            content = unpacker.decompress(content, _MAX_BYTES)
            _require(unpacker.eof or flushed)
            kind, inner = _TAG.unpack_from(content, 0)
            start, end = 8, 8 + inner
        _require(kind == _MATRIX and end == len(content))
        _check_matrix(content, start, end, 0)
        at += 8 + size


def _element(data: bytes, at: int, end: int) -> tuple[int, int, int, int]:
    """Type, first byte and size of an element's data, and where the next element starts."""
    _require(at + 8 <= end)
    kind, size = _TAG.unpack_from(data, at)
    if kind >> 16:  # the small form: four bytes of data inside the tag
        size, kind, first, after = kind >> 16, kind & 0xFFFF, at + 4, at + 8
        _require(size <= 4)
    else:
        first = at + 8
        after = first + size + (-size % 8)
    _require(after <= end)
    return kind, first, size, after


def _check_matrix(data: bytes, at: int, end: int, depth: int) -> None:
    """An array, whose content lies between two bytes, and its parts."""
    if at == end:
        return
    kind, first, size, at = _element(data, at, end)
    _require(kind == 6 and size == 8 and depth <= _MAX_DEPTH)
    array_class, is_complex = data[first], bool(data[first + 1] & 8)
    kind, first, size, at = _element(data, at, end)
    _require(kind == 5 and size % 4 == 0 and 8 <= size <= 32)
    lengths = struct.unpack_from(f"<{size // 4}i", data, first)
    _require(min(lengths) >= 0)
    count = math.prod(lengths)
    kind, _, _, at = _element(data, at, end)  # the array's name
    _require(kind == 1)
    children = 0
    if array_class == _CHAR:
        kind, _, size, at = _element(data, at, end)
        _require(kind in _TEXT_TYPES and count <= size)
    elif array_class in _NUMBERS:
        for _ in range(1 + is_complex):
            kind, _, size, at = _element(data, at, end)
            _require(kind in _NUMBER_BYTES and size == count * _NUMBER_BYTES[kind])
    elif array_class == _STRUCT:
        kind, first, size, at = _element(data, at, end)
        _require(kind == 5 and size == 4)
        (name_length,) = struct.unpack_from("<i", data, first)
        kind, _, size, at = _element(data, at, end)
        _require(kind == 1 and 1 <= name_length <= 64 and size % name_length == 0)
        children = count * (size // name_length)
        _require(count <= 1 or children > 0)
    else:  # sparse arrays, objects, functions: nothing that a data set has
        _require(array_class == _CELL)
        children = count
    _require(8 * children <= end - at)
    for _ in range(children):
        kind, first, size, at = _element(data, at, end)
        _require(kind == _MATRIX and first + size == at)
        _check_matrix(data, first, at, depth + 1)
    _require(at == end)


def field(value: Any, name: str) -> np.ndarray:
    """A field of a struct (or of a 1 x 1 array of one) as an array, empty where it is not there."""
    if isinstance(value, np.ndarray):
        if value.size == 0 or value.dtype != object:
            return np.empty(0)
        value = value.flat[0]
    return np.asarray(getattr(value, name, np.empty(0)))


def entries(value: Any) -> list[Any]:
    """The elements of a cell or a struct array, in order; none where it is something else."""
    array = np.asarray(value)
    return list(array.flat) if array.dtype == object else []


def only_of_structs(value: Any) -> bool:
    """Whether a list holds structs or nothing, and no numbers or text, of which :func:`entries`
    gives none."""
    array = np.asarray(value)
    return not array.size or array.dtype == object


def bare_struct(value: Any) -> Any:
    """A struct, also where it lies in a cell of its own."""
    while isinstance(value, np.ndarray) and value.dtype == object and value.size == 1:
        value = value.flat[0]
    return value


def count_upwards(given: np.ndarray, last: int) -> bool:
    """Whether numbers (N,) are whole, ascending, and from 1 to ``last``."""
    ascend = (np.diff([0, *given]) >= 1).all()
    return bool((given <= last).all() and ascend and not (given % 1).any())


def numbers(value: Any) -> np.ndarray:
    """Numbers of any type, also written as text, as a flat float64 array.

    The files use the smallest type that fits, so differences of what they hold would wrap around.
    """
    array = np.asarray(value)
    if array.dtype.kind == "U":
        array = np.array([_from_text(text) for text in array.flat])
    if array.dtype.kind not in "biuf":
        return np.empty(0)
    return array.astype(np.float64).ravel()


def number(value: Any) -> float:
    """One number; NaN where there is none."""
    found = numbers(value)
    return float(found[0]) if found.size else float("nan")


def text(value: Any) -> str:
    """A text; empty where there is none."""
    array = np.asarray(value)
    return str(array.flat[0]) if array.size and array.dtype.kind == "U" else ""


def _from_text(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
