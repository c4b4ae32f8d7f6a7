"""Left and right in the names of joints, in several languages and styles of writing.

Names of joints that people choose say a side in many ways: ``left_hand``, ``hand.L``, ``LeftHand``,
``Lhand``, ``linke Hand``, ``main_g``, ``mano_izq``, ``左手``. Two joints are a pair where their
names are the same but for the side.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LEFT, RIGHT, MIDDLE = "left", "right", "middle"
MISSING = -1
"""Entry of a joint map where the source has no such joint."""

# A language a line: words that say left, words that say right. "*" stands for any ending.
_WORDS = """
left lft lt l            | right rgt rt r
links link linke* li     | rechts recht rechte* re
gauche* g                | droit* d
izquierd* izq i          | derech* der d
sinistr* sin sx s        | destr* dx dst des d
esquerd* esq e           | direit* dir d
esquerr* esq             | dret* d
vanster* vanstra v       | hoger* hogra h
venstre* v               | hojre* hoyre* h
lew* l                   | praw* p
lev* l                   | prav* desn* p d
лев* ліво лів* л         | прав* п
vasen* vase* v           | oikea* oike* o
bal* b                   | jobb* j
sol                      | sag
stang*                   | drept*
αριστερ*                 | δεξι*
kiri                     | kanan
trai                     | phai
vasak*                   | parem*
kreis*                   | lab*
kair*                    | desin*
ляв* лев*                | десн* десен
يسار يسرى ايسر أيسر      | يمين يمنى ايمن أيمن
שמאל שמאלית שמאלי        | ימין ימנית ימני
左 左の                  | 右 右の
왼 왼쪽                  | 오른 오른쪽
"""
_LANGUAGES = tuple(
    tuple(tuple(side.split()) for side in line.split("|")) for line in _WORDS.split("\n")[1:-1]
)
# Words that stand without a space: "lefthand", "handlinks", "左手".
_GLUED = (
    *[("left", "right"), ("links", "rechts"), ("linke", "rechte"), ("linker", "rechter")],
    *[("linkes", "rechtes"), ("gauche", "droite"), ("gauche", "droit")],
    *[("左の", "右の"), ("左", "右"), ("왼쪽", "오른쪽"), ("왼", "오른")],
    *[("l", "r"), ("л", "п")],
)
_VOICING = (7, 8, 9)  # marks that are no accents: they make other letters, in Hindi and Japanese
_CASE_ENDS = re.compile(r"(?<=[a-zß-öø-ÿ])(?=[A-ZÀ-ÖØ-Þ])|(?<=[A-Z])(?=[A-Z][a-z])")
_LETTERS = str.maketrans({"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "ı": "i"})


@dataclass(frozen=True)
class Sides:
    """What the names of some joints say about left and right.

    Attributes:
        pairs: (left, right) joint numbers that change places in a mirrored picture.
        sides: of every joint: "left", "right" or "middle".
        unpaired: numbers of joints whose name says a side, without a counterpart of their own.
    """

    pairs: tuple[tuple[int, int], ...]
    sides: tuple[str, ...]
    unpaired: tuple[int, ...]


def words_of(name: str) -> tuple[str, ...]:
    """The words of a name in lower case without accents: "LeftFoot_2" is left, foot, 2."""
    plain = unicodedata.normalize("NFKC", name).translate(_LETTERS)
    split = _CASE_ENDS.sub(" ", plain)
    letters = unicodedata.normalize("NFKD", split)
    bare = "".join(c for c in letters if unicodedata.combining(c) in (0, *_VOICING))
    joined = unicodedata.normalize("NFC", bare)  # Korean syllables stay whole
    words, before = [], ""
    for letter in joined.casefold():
        kind = _kind(letter)
        kind = before if kind == "mark" else kind
        if kind and kind == before:
            words[-1] += letter
        elif kind:
            words.append(letter)
        before = kind
    return tuple(words)


def _kind(letter: str) -> str:
    """Letter, digit, a mark that belongs to the letter before (a vowel in Hindi), or nothing."""
    if unicodedata.category(letter).startswith("M"):
        return "mark"
    return "digit" if letter.isdecimal() else "letter" if letter.isalnum() else ""


def find_sides(names: Sequence[str]) -> Sides:
    """Pairs and sides of joints by their names.

    A name that says a side with one letter or without a space counts only where there is another
    that says the other side and is the same for the rest.
    """
    words = [words_of(name) for name in names]
    partners: dict[int, set[tuple[str, int]]] = {number: set() for number in range(len(names))}
    for candidates in (_all_sides(words), _by_words(words), _glued(words)):
        lefts: dict[tuple[object, ...], list[int]] = {}
        rights: dict[tuple[object, ...], list[int]] = {}
        for number, side, key in candidates:
            if not partners[number] or any(s == side for s, _ in partners[number]):
                (lefts if side == LEFT else rights).setdefault(key, []).append(number)
        taken = {number for number, found in partners.items() if found}
        for key in lefts.keys() & rights.keys():
            for left in lefts[key]:
                for right in rights[key]:
                    if left != right and not {left, right} & taken:
                        partners[left].add((LEFT, right))
                        partners[right].add((RIGHT, left))
    sides, pairs = [MIDDLE] * len(names), []
    for number, found in partners.items():
        if len(found) == 1:
            ((side, other),) = found
            if partners[other] == {(RIGHT if side == LEFT else LEFT, number)}:
                sides[number] = side
                if side == LEFT:
                    pairs.append((number, other))
    unpaired = []
    for number, tokens in enumerate(words):
        said = {side for side, _ in _sides_of(tokens, clear=True)}
        if sides[number] == MIDDLE and (len(said) == 1 or partners[number]):
            unpaired.append(number)
            sides[number] = said.pop() if len(said) == 1 else MIDDLE
    return Sides(tuple(pairs), tuple(sides), tuple(unpaired))


def joint_key(name: str) -> tuple[str, tuple[str, ...]]:
    """What joints of different data sets are compared by: the side and the rest of the name.

    Example:
        >>> joint_key("LeftKnee") == joint_key("knee_left") == joint_key("left knee")
        True
    """
    tokens = words_of(name)
    found = [(side, place) for side, place in _sides_of(tokens, clear=True)]
    found = found or [(s, p) for s, p in _sides_of(tokens) if tokens[p] in ("l", "r")]
    if len(found) == 1:
        side, place = found[0]
        return side, (*tokens[:place], *tokens[place + 1 :])
    return MIDDLE, tokens


def unique_keys(names: Sequence[str]) -> dict[tuple[str, tuple[str, ...]], int]:
    """Number of every joint by its :func:`joint_key`, without the keys that several joints have."""
    keys = [joint_key(name) for name in names]
    return {key: number for number, key in enumerate(keys) if keys.count(key) == 1}


def match_joints(wanted: Sequence[str], source: Sequence[str]) -> tuple[int, ...]:
    """Number, in ``source``, of every joint of ``wanted``, :data:`MISSING` where it has none.

    Identical names are the same joint. Others are where they have the same :func:`joint_key`, and
    no other joint of either side has it: "x+" and "x-" are two joints, so that "x" is none of them.
    """
    ours, theirs = unique_keys(wanted), unique_keys(source)
    found = [MISSING] * len(wanted)
    for key, number in ours.items():
        found[number] = theirs.get(key, MISSING)
    places = {name: number for number, name in enumerate(source)}
    return tuple(places.get(name, other) for name, other in zip(wanted, found, strict=True))


def _sides_of(tokens: Sequence[str], clear: bool = False) -> Iterator[tuple[str, int]]:
    """Side and place of every word that may say one; ``clear``: of those that say nothing else."""
    for place, token in enumerate(tokens):
        said = {side for side, language in _said(token) if not clear or language < _CLEAR}
        if len(tokens) > 1 and len(said) == 1 and (not clear or len(token) > 2):
            yield said.pop(), place


_MIDDLE_LETTERS = {"m", "c"}
_CLEAR = 6  # so many languages have words that a single joint is called sided by


def _said(token: str) -> Iterator[tuple[str, int]]:
    """Side and language of a word."""
    for language, sides in enumerate(_LANGUAGES):
        for side, patterns in zip((LEFT, RIGHT), sides, strict=True):
            if any(_fits(token, pattern) for pattern in patterns):
                yield side, language


def _fits(token: str, pattern: str) -> bool:
    if pattern.endswith("*"):  # an ending of at most three letters
        return token.startswith(pattern[:-1]) and len(token) - len(pattern) < 3
    return token == pattern


_Candidate = tuple[int, str, tuple[object, ...]]


def _all_sides(words: Sequence[tuple[str, ...]]) -> Iterator[_Candidate]:
    """Names with several clear sides, as in "left eye, right corner": all of them are exchanged."""
    for number, tokens in enumerate(words):
        said = {place: side for side, place in _sides_of(tokens, clear=True)}
        if len(said) > 1:
            first = said[min(said)]
            pattern = tuple(side == first for _, side in sorted(said.items()))
            rest = tuple("" if place in said else token for place, token in enumerate(tokens))
            yield number, first, (pattern, rest)


def _by_words(words: Sequence[tuple[str, ...]]) -> Iterator[_Candidate]:
    """Every way to read a word of a name as a side: joint, side, language and the other words.

    A letter is none where the same name occurs with letters that are no side: "point d" beside
    "point a".
    """
    letters: dict[tuple[str, ...], set[str]] = {}
    for tokens in words:
        for place, token in enumerate(tokens):
            if len(token) == 1:
                letters.setdefault((*tokens[:place], *tokens[place + 1 :]), set()).add(token)
    for number, tokens in enumerate(words):
        for place, token in enumerate(tokens):
            rest = (*tokens[:place], *tokens[place + 1 :])
            for side, language in _said(token) if rest else ():
                one, other = ({w for w in words if len(w) == 1} for words in _LANGUAGES[language])
                if len(token) > 1 or letters[rest] <= one | other | _MIDDLE_LETTERS:
                    yield number, side, (language, rest)


def _glued(words: Sequence[tuple[str, ...]]) -> Iterator[_Candidate]:
    """The same for sides at the beginning or end of a word."""
    for number, tokens in enumerate(words):
        for place, token in enumerate(tokens):
            for kind, pair in enumerate(_GLUED):
                for side, text in zip((LEFT, RIGHT), pair, strict=True):
                    for at_end in (False, True):
                        fits = token.endswith(text) if at_end else token.startswith(text)
                        if fits and len(token) > len(text):
                            end = len(token) - len(text)
                            bare = token[:end] if at_end else token[len(text) :]
                            rest = (*tokens[:place], bare, *tokens[place + 1 :])
                            yield number, side, (kind, at_end, rest)
