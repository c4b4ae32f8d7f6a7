"""Builds the documentation: ``make docs``, or ``python -m docs.tools.build [--reuse]``.

The pages of ``docs/`` are copied to ``build/docs/pages``; the commands of the tutorials run in
``build/docs/run`` and their outputs are put below them; pages of the reference and of the recipes
are written; Zensical makes ``build/docs/site`` of it all, and the result is checked. A warning is
an error. ``--reuse`` takes the outputs of tutorials that have not changed since they last ran.
"""

import argparse
import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

from docs.tools.check import check_site
from docs.tools.public_names import entries, public_names, reference_page
from docs.tools.recipes import recipes_page
from docs.tools.tutorials import TutorialError, run_page

ROOT = Path(__file__).parents[2]
DOCS, BUILD = ROOT / "docs", ROOT / "build" / "docs"
PAGES, RUN, SITE, STORE = (BUILD / name for name in ("pages", "run", "site", "outputs"))
# In this order: a tutorial finds what those before it made. The others are marked "not run here".
EXECUTED = ("own_pictures", "predict_video", "own_clips", "fine_tuning")
# Pages from the top of the repository, whose links begin there.
FROM_TOP = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}


def copy_pages() -> None:
    """The pages of docs/ and two from the top of the repository; what is not written by hand."""
    shutil.rmtree(PAGES, ignore_errors=True)
    shutil.copytree(DOCS, PAGES, ignore=shutil.ignore_patterns("tools", "*.py", "__pycache__"))
    for name, page in FROM_TOP.items():
        text = (ROOT / name).read_text("utf-8")
        (PAGES / page).write_text(re.sub(r"\]\(docs/", "](", text), "utf-8")
    (PAGES / "recipes.md").write_text(recipes_page(ROOT / "configs" / "experiment"), "utf-8")
    (PAGES / "reference").mkdir(exist_ok=True)
    for module, names in public_names(ROOT / "src").items():
        text = reference_page(ROOT / "src", module, names)
        (PAGES / "reference" / f"{module}.md").write_text(text, "utf-8")


def run_tutorials(reuse: bool) -> None:
    """Replaces the tutorials among the pages by those with outputs."""
    if not reuse:
        shutil.rmtree(STORE, ignore_errors=True)
        shutil.rmtree(RUN, ignore_errors=True)
    images = STORE / "images"
    images.mkdir(parents=True, exist_ok=True)
    for name in EXECUTED:
        page, stored = DOCS / "tutorials" / f"{name}.md", STORE / f"{name}.json"
        digest = hashlib.sha256(page.read_bytes()).hexdigest()
        known = json.loads(stored.read_text()) if stored.is_file() else {}
        if known.get("page") != digest:
            print(f"tutorial {name} ...", end=" ", flush=True)
            text, seconds = run_page(page, RUN, images)
            known = {"page": digest, "text": text, "seconds": seconds}
            stored.write_text(json.dumps(known))
            cpu = resource.getrusage(resource.RUSAGE_CHILDREN)
            print(f"{seconds:.0f} s, with those before {cpu.ru_utime + cpu.ru_stime:.0f} s of CPU")
        took = f"\n---\n\n*Run when this page was built, in {known['seconds']:.0f} seconds.*\n"
        (PAGES / "tutorials" / f"{name}.md").write_text(known["text"] + took, "utf-8")
    shutil.copytree(images, PAGES / "images", dirs_exist_ok=True)


def make_site() -> list[str]:
    """Runs Zensical; returns what is wrong."""
    shutil.rmtree(SITE, ignore_errors=True)
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    output = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    if done.returncode or re.search(r"(?im)^(warning|error|griffe)\b", output):
        return [output]
    return check_site(SITE, sorted(set(entries(ROOT / "src").values())))


def main() -> None:
    """Builds, and ends with exit code 1 and what is wrong where something is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--reuse", action="store_true", help="tutorials that have not changed")
    arguments = parser.parse_args()
    copy_pages()
    try:
        run_tutorials(arguments.reuse)
    except TutorialError as error:
        sys.exit(str(error))
    wrong = make_site()
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"Built: {SITE / 'index.html'}")


if __name__ == "__main__":
    main()
