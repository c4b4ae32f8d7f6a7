"""The skeleton of a COCO file: which category, its joints, links, and what a mirror exchanges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from har.data.coco.document import COCOError, Document, clean, identity, note, number
from har.joint_names import find_sides
from har.layouts import Layout, LayoutError

FlipPairs = Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Skeleton:
    """The joints that are read.

    Attributes:
        layout: names, links and pairs.
        categories: ids of the categories that have them.
    """

    layout: Layout
    categories: frozenset[str]


def find_skeleton(
    document: Document, category: str | None = None, flip_pairs: FlipPairs | None = None
) -> Skeleton:
    """The skeleton of a file.

    Categories with the same joints are one skeleton, and one that no annotation has joints of does
    not count where another one is used.

    Args:
        document: the file.
        category: name or id of the category, where there are several skeletons.
        flip_pairs: pairs of joints, by names or by numbers from 0, that change places in a mirrored
            picture; None: by the names.

    Raises:
        COCOError: no skeleton, several, none of that name, joints without names of their own, or
            pairs of no joints.
    """
    joints = {key: _joints(entry) for key, entry in document.categories.items()}
    joints = {key: names for key, names in joints.items() if names}
    if not joints:
        raise COCOError(
            f"No category of {document.path} lists key points, so the joints have no names: export "
            'the annotations as "COCO Keypoints", from a project with a skeleton.'
        )
    if category is not None:
        wanted, choices = str(category), _choices(document, list(joints))
        of_name = {k: v for k, v in joints.items() if wanted == _name(document, k)}
        joints = {wanted: joints[wanted]} if wanted in joints else of_name  # ids are never alike
        if not joints:
            raise COCOError(
                f"category={wanted}: {document.path} has no such category with key points; choose "
                f"{choices}."
            )
    with_joints = (entry for entry in document.annotations if entry.get("keypoints"))
    annotated = {identity(entry.get("category_id")) for entry in with_joints}
    used = [key for key in joints if key in annotated] or list(joints)
    different: dict[tuple[str, ...], str] = {}
    for key in used:
        different.setdefault(joints[key], key)
    if len(different) > 1:
        keys = list(different.values())
        raise COCOError(
            f"{len(keys)} categories of {document.path} have key points, "
            f"{_choices(document, keys)}: say which one to train on, for example "
            f"category={_word(document, keys[0])}."
        )
    ((names, first),) = different.items()
    layout = _layout(document, first, names, flip_pairs)
    return Skeleton(layout, frozenset(key for key, own in joints.items() if own == names))


def _joints(entry: Mapping[str, Any]) -> tuple[str, ...]:
    found = entry.get("keypoints")
    if not isinstance(found, list):
        return ()
    return tuple(clean(str(name)) if isinstance(name, (str, int)) else "" for name in found)


def _name(document: Document, key: str) -> str:
    name = document.categories[key].get("name")
    return clean(str(name)) if isinstance(name, (str, int)) else ""


def _word(document: Document, key: str) -> str:
    """What chooses a category: its name, or its id where the name is that of another one too."""
    name = _name(document, key)
    others = [k for k, entry in document.categories.items() if k != key and _joints(entry)]
    shared = any(name in (other, _name(document, other)) for other in others)
    return key if shared or not name else name


def _choices(document: Document, keys: Sequence[str]) -> str:
    texts = []
    for key in keys:
        name, word = _name(document, key), _word(document, key)
        named = f", named {name}" if name and word != name else ""
        texts.append(f"{word} ({len(_joints(document.categories[key]))} joints{named})")
    return " and ".join(texts)


def _layout(
    document: Document, key: str, joints: tuple[str, ...], flip_pairs: FlipPairs | None
) -> Layout:
    name = _name(document, key) or "skeleton"
    twice = next((joint for joint in joints if joints.count(joint) > 1 or not joint), None)
    if twice is not None:
        raise COCOError(
            f"The category {name} of {document.path} has a joint without a name of its own "
            f"({twice!r}): give every joint another name."
        )
    links = _links(document, document.categories[key].get("skeleton"), len(joints))
    pairs = None if flip_pairs is None else _pairs(joints, flip_pairs)
    try:
        return Layout(name, joints, links, flip_pairs=pairs)
    except LayoutError as error:
        raise COCOError(f"flip_pairs={flip_pairs}: {error}") from error


def _links(document: Document, listed: Any, num_joints: int) -> tuple[tuple[int, int], ...]:
    """The links from 0. COCO counts joints from 1; a file that has a joint 0 and none of the last
    number counts from 0; in one that has both, the links of joint 0 lead nowhere."""
    ends = [
        (number(link[0]), number(link[1]))
        for link in (listed if isinstance(listed, list) else [])
        if isinstance(link, list) and len(link) == 2
    ]
    used = {end for link in ends for end in link}
    first = 0 if 0 in used and num_joints not in used else 1
    found = []
    for one, other in ends:
        if all(end.is_integer() and 0 <= end - first < num_joints for end in (one, other)):
            found.append((int(one) - first, int(other) - first))
        else:
            note(document.notes, "a link leads to no joint (not drawn)", f"[{one:g}, {other:g}]")
    return tuple(dict.fromkeys(link for link in found if link[0] != link[1]))


def _pairs(joints: tuple[str, ...], flip_pairs: FlipPairs) -> tuple[tuple[int, int], ...]:
    """Pairs of names or of numbers from 0, as numbers."""
    found = []
    for pair in flip_pairs:
        places = []
        for joint in pair if isinstance(pair, (list, tuple)) else ():
            if str(joint) in joints:
                places.append(joints.index(str(joint)))
            elif isinstance(joint, int) and 0 <= joint < len(joints):
                places.append(joint)
        if len(places) != 2 or len(pair) != 2 or places[0] == places[1]:
            raise COCOError(
                f"flip_pairs: {pair!r} is not a pair of joints; write them by name, for example "
                f"flip_pairs=[[{joints[0]},{joints[-1]}]]; the joints are {', '.join(joints)}."
            )
        found.append((places[0], places[1]))
    return tuple(found)


def mirroring(layout: Layout) -> str:
    """What is known of left and right, in a sentence for people."""
    named = find_sides(layout.joints)
    pairs = named.pairs if layout.flip_pairs is None else layout.flip_pairs
    if layout.can_mirror:
        texts = [f"{layout.joints[i]} and {layout.joints[j]}" for i, j in pairs]
        return f"Mirrored pictures exchange {', '.join(texts) or 'no joints'}."
    lonely = [layout.joints[i] for i in named.unpaired]
    why = f"{lonely[0]} has no counterpart" if lonely else "the names of the joints do not say"
    return (
        f"Which joints are left and right is not known ({why}): no picture is mirrored in "
        "training. Give the pairs to har.prepare, for example "
        "flip_pairs=[[hand_a,hand_b],[foot_a,foot_b]], or flip_pairs=[] where every joint is its "
        "own mirror image."
    )
