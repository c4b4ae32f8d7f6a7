"""Checks a built site: links, anchors, entries of the reference, no file of another host."""

from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"img": "src", "script": "src", "video": "src", "source": "src", "iframe": "src"}


class Page(HTMLParser):
    """The links, the loaded files and the anchors of a page of HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Called for every tag."""
        values = {name: value for name, value in attributes if value}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.add(values["href"])
        if tag in LOADED and LOADED[tag] in values:
            self.loaded.add(values[LOADED[tag]])
        if tag == "link" and values.get("rel") != "canonical" and "href" in values:
            self.loaded.add(values["href"])


def check_site(site: Path, names: Iterable[str] = ()) -> list[str]:
    """Sentences about what is wrong with a site; none where all is right.

    Args:
        site: the folder of the built pages.
        names: that the reference has to have an entry of.
    """
    pages = {path: Page(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}
    wrong = []
    for path, page in pages.items():
        where = path.relative_to(site)
        for target in sorted(page.loaded):
            if urlsplit(target).scheme not in ("", "data") or target.startswith("//"):
                wrong.append(f"{where} loads {target} from another host.")
        for target in sorted(page.links | page.loaded):
            parts = urlsplit(target)
            if parts.scheme or parts.netloc or path.name == "404.html":
                continue
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            file = file / "index.html" if file.is_dir() else file
            if not file.is_file():
                wrong.append(f"{where} links to {target}, which is not there.")
            elif parts.fragment and unquote(parts.fragment) not in pages[file].anchors:
                wrong.append(f"{where} links to {target}, but has no such anchor.")
    found = set().union(*(page.anchors for page in pages.values()))
    wrong += [f"The reference has no entry of {name}." for name in names if name not in found]
    return wrong
