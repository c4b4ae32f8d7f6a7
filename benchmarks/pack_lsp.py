"""Packs LSP and LSP extended into archives small enough to be carried one by one.

    python benchmarks/pack_lsp.py /data/lsp data/packed_lsp [MiB of a piece, default 48]

Files are stored as they are, below ``lsp/`` and ``lspet/``; unpacked into one folder they are what
``har.prepare lsp`` reads. ``data/`` is ignored by git: the photographs are for research only.
"""

import sys
import tarfile
from pathlib import Path


def pack(source: Path, target: Path, limit_bytes: int) -> list[Path]:
    """Writes ``lsp_00.tar`` and so on; returns them."""
    files = sorted(
        path
        for name in ("lsp", "lspet")
        for path in (source / name).rglob("*")
        if path.is_file() and (path.suffix == ".jpg" or path.name == "joints.mat")
    )
    if not files:
        sys.exit(f"{source} has no lsp/ or lspet/ with joints.mat and images/.")
    pieces: list[list[Path]] = [[]]
    filled = 0
    for path in files:
        size = 512 + -(-path.stat().st_size // 512) * 512  # of a member of a tar file
        if filled + size > limit_bytes - 2**16:
            pieces.append([])
            filled = 0
        pieces[-1].append(path)
        filled += size
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for number, members in enumerate(pieces):
        written.append(target / f"lsp_{number:02}.tar")
        with tarfile.open(written[-1], "w", format=tarfile.USTAR_FORMAT) as archive:
            for path in members:
                archive.add(path, str(path.relative_to(source)), recursive=False)
    return written


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    limit_mib = float(sys.argv[3]) if len(sys.argv) > 3 else 48
    for piece in pack(Path(sys.argv[1]), Path(sys.argv[2]), int(limit_mib * 2**20)):
        print(f"{piece}: {piece.stat().st_size / 2**20:.1f} MiB")
