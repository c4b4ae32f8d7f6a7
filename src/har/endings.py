"""The endings of files that are images and videos, for every command that walks a folder."""

from pathlib import Path

IMAGE_ENDINGS = frozenset(
    (
        ".apng",
        ".avif",
        ".bmp",
        ".gif",
        ".heic",
        ".heif",
        ".jp2",
        ".jpe",
        ".jpeg",
        ".jpg",
        ".pgm",
        ".png",
        ".pnm",
        ".ppm",
        ".tif",
        ".tiff",
        ".webp",
    )
)
VIDEO_ENDINGS = frozenset(
    (
        ".3g2",
        ".3gp",
        ".asf",
        ".avi",
        ".divx",
        ".f4v",
        ".flv",
        ".m2ts",
        ".m2v",
        ".m4v",
        ".mjpeg",
        ".mjpg",
        ".mkv",
        ".mov",
        ".mp4",
        ".mpeg",
        ".mpg",
        ".mts",
        ".mxf",
        ".ogg",
        ".ogv",
        ".qt",
        ".rm",
        ".rmvb",
        ".ts",
        ".vob",
        ".webm",
        ".wmv",
        ".y4m",
    )
)
ENDINGS = IMAGE_ENDINGS | VIDEO_ENDINGS


def ending_of(path: Path) -> str:
    """The ending of a file's name in small letters, with its point; empty for none."""
    return path.suffix.lower()
