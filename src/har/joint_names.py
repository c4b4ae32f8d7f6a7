"""Left and right in the names of joints, in several languages and styles of writing.

Names of joints that people choose say a side in many ways: ``left_hand``, ``hand.L``, ``LeftHand``,
``Lhand``, ``linke Hand``, ``main_g``, ``mano_izq``, ``左手``. Two joints are a pair where their
names are the same but for the side.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

LEFT, RIGHT, MIDDLE = "left", "right", "middle"
MISSING = -1
"""Entry of a joint map where the source has no such joint."""

# A language a line: words that say left, words that say right. "*" stands for any ending.
_WORDS = """
left lft lt l            | right rgt rt r
links link linke* li     | rechts recht rechte* regter* re
gauche* gch g            | droit* drt d
izquierd* izq izqda izqdo izda izdo i | derech* der dcha dcho dch d
sinistr* sinister sin sx s | destr* dexter dextr* dx dst des d
esquerd* esq e           | direit* dereit* dir d
左 左の ひだり ひだりの ヒダリ hidari | 右 右の みぎ みぎの ミギ migi
왼 왼쪽                  | 오른 오른쪽
esquerr* esq             | dret* d
vänster* vänstra v       | höger* högra h
venstre* v               | højre* høyre* h
lew* l                   | praw* p
lev* lijev* ľav* l       | prav* desn* p d
лев* ліво лів* л         | прав* п
vasen* vase* v           | oikea* oike* o
bal b                    | jobb j
sol                      | sağ
stâng*                   | drept* dreapt*
αριστερ*                 | δεξι*
kiri                     | kanan
trái                     | phải
vasak*                   | parem*
kreis*                   | lab*
kair* kairys*            | dešin* dešinys*
ляв* лев*                | десн* десен дясн*
يسار اليسار يسرى اليسرى أيسر الأيسر | يمين اليمين يمنى اليمنى أيمن الأيمن
چپ                       | راست
שמאל שמאלית שמאלי        | ימין ימנית ימני
좌                       | 우
"""
_CLEAR = 8  # so many languages have words that a single joint is called sided by
_SMALL = {"der", "des", "sin", "link"}  # which are words of other languages too
# Words of languages that write several in one: "lefthand", "manoizquierda", "左手".
_BEFORE = "left right links rechts linkes(?!ch|p|t) rechtes(?!ch|p|t) linker? rechter? "
_BEFORE += "vasen oikea hidari migi лев(?:ая|ый|ое) прав(?:ая|ый|ое) "
_AFTER = "left right links rechts gauche droite? izquierd[ao] derech[ao] sinistr[ao] destr[ao] "
_AFTER += "esquerd[ao] direit[ao] vanster hoger venstre hojre hoyre"
_INSIDE = "左の? 右の? ひだりの? みぎの? ヒダリ ミギ 왼쪽? 오른쪽?"
# What two names begin or end with, one with the first and one with the other: "Lhand", "Rhand".
_GLUED = (("l", "r"), ("л", "п"), ("bal", "jobb"), ("sol", "sag"), ("좌", "우"))
_GLUED_LETTERS = "lrлп"
# Words that begin or end as sides do, without being of one.
_WHOLE = """
upright bright outright cleft endroit left right leg legs lower lip lips limb lumbar larynx lid lobe
root rib ribs ring rump rear radius ridge rostrum rest
"""
# Parts of bodies before which one letter is a side: "lshoulder". Not ear: an animal has a rear.
_PARTS = """
ankle arm brow calf cheek clavicle collar elbow eye eyebrow fin finger foot forearm hand heel
hip hoof knee knuckle leg palm paw pinky rib shin shoulder sole thigh thumb toe wing wrist
"""
_GLUED_SIDES = tuple(
    (pair, text, side)
    for pair, two in enumerate(_GLUED)
    for side, text in zip((LEFT, RIGHT), two, strict=True)
)
_LETTERS = str.maketrans({"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "ı": "i"})
_VOICING = (7, 8, 9)  # marks that are no accents: they make other letters, in Hindi and Japanese


def _plain(text: str) -> str:
    """A text without accents."""
    letters = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    bare = "".join(c for c in letters if unicodedata.combining(c) in (0, *_VOICING))
    return unicodedata.normalize("NFC", bare)  # Korean syllables stay whole


_LANGUAGES = tuple(
    tuple(tuple(side.split()) for side in line.split("|"))
    for line in _plain(_WORDS).split("\n")[1:-1]
)
_SPLIT = re.compile(
    "({})|^({})(?=.)|(?<=.)({})$".format(
        *("|".join(_plain(words).split()) for words in (_INSIDE, f"{_BEFORE}{_AFTER}", _AFTER))
    )
)
_CAPITAL = re.compile(r"(?<![^\W_])[LR][^\W\d_A-Z]+")


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
    """The words of a name in lower case without accents: "LeftFoot_2" is left, foot, 2.

    Words that say a side are words of their own: "leftfoot" is left, foot.
    """
    plain = unicodedata.normalize("NFKC", name)
    split = "".join(
        f" {letter}" if _begins_word(plain[max(place - 1, 0) : place], plain[place:]) else letter
        for place, letter in enumerate(plain)
    )
    words: list[str] = []
    before = ""
    for letter in _plain(split).casefold():
        kind = _kind(letter)
        kind = before if kind == "mark" else kind
        if kind and kind == before:
            words[-1] += letter
        elif kind:
            words.append(letter)
        before = kind
    return tuple(part for word in words for part in _split(word))


def _begins_word(before: str, rest: str) -> bool:
    """Whether a capital begins a word: the F of leftFoot, the H of LHip."""
    return rest[0].isupper() and (before.islower() or (before.isupper() and rest[1:2].islower()))


def _split(word: str) -> list[str]:
    if word in _WHOLE.split() or any(_said(word)):
        return [word]
    return [part for part in _SPLIT.split(word) if part]


def _kind(letter: str) -> str:
    """Letter, digit, a mark that belongs to the letter before (a vowel in Hindi), or nothing."""
    if unicodedata.category(letter).startswith("M"):
        return "mark"
    return "digit" if letter.isdecimal() else "letter" if letter.isalnum() else ""


class _Candidate(NamedTuple):
    """A way to read a name: of joint ``number``, which is of ``side`` if another joint of the same
    ``key`` says the other side. ``kind``: how the side is written; None where it may be none."""

    number: int
    side: str
    key: tuple[object, ...]
    kind: tuple[object, str] | None = None


def find_sides(names: Sequence[str]) -> Sides:
    """Pairs and sides of joints by their names.

    A name that says a side with one letter or without a space counts only where there is another
    that says the other side and is the same for the rest. Where there are such pairs, another name
    that says a side in the same way lacks its counterpart.
    """
    words = _unnumbered([words_of(name) for name in names])
    stages = (list(_all_sides(words)), _by_words(words), list(_glued(words, names)))
    partners: dict[int, set[tuple[str, int]]] = {number: set() for number in range(len(names))}
    for candidates in stages:
        taken = {number for number, found in partners.items() if found}
        for left, right in _counterparts(candidates):
            if left.number != right.number and not {left.number, right.number} & taken:
                partners[left.number].add((LEFT, right.number))
                partners[right.number].add((RIGHT, left.number))
    sides, pairs = [MIDDLE] * len(names), []
    for number, found in partners.items():
        if len(found) == 1:
            ((side, other),) = found
            if partners[other] == {(RIGHT if side == LEFT else LEFT, number)}:
                sides[number] = side
                if side == LEFT:
                    pairs.append((number, other))
    readings = [candidate for candidates in stages for candidate in candidates]
    made = set(pairs)
    kinds = {
        candidate.kind
        for two in _counterparts(readings)
        if (two[0].number, two[1].number) in made
        for candidate in two
    } - {None}
    said = [{side for side, _ in _sides_of(tokens, clear=True)} for tokens in words]
    for candidate in readings:
        if candidate.kind in kinds:
            said[candidate.number].add(candidate.side)
    unpaired = []
    for number in range(len(names)):
        if sides[number] == MIDDLE and (len(said[number]) == 1 or partners[number]):
            unpaired.append(number)
            sides[number] = said[number].pop() if len(said[number]) == 1 else MIDDLE
    return Sides(tuple(pairs), tuple(sides), tuple(unpaired))


def _counterparts(candidates: Iterable[_Candidate]) -> Iterator[tuple[_Candidate, _Candidate]]:
    """All (left, right) of the same key."""
    found: dict[tuple[object, ...], dict[str, list[_Candidate]]] = {}
    for candidate in candidates:
        found.setdefault(candidate.key, {LEFT: [], RIGHT: []})[candidate.side].append(candidate)
    for sides in found.values():
        yield from product(sides[LEFT], sides[RIGHT])


def _unnumbered(words: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Words without numbers that only count the joints: "00_left_hip", "01_right_hip"."""
    for place in (0, -1):
        numbers = [tokens[place] for tokens in words if tokens and tokens[place].isdecimal()]
        if len(set(numbers)) == len(words) and all(
            sum(token.isdecimal() for token in tokens) == 1 for tokens in words
        ):
            return [tokens[1:] if place == 0 else tokens[:-1] for tokens in words]
    return words


def joint_key(name: str) -> tuple[str, tuple[str, ...]]:
    """What joints of different data sets are compared by: the side and the rest of the name.

    Example:
        >>> joint_key("LeftKnee") == joint_key("knee_left") == joint_key("lknee")
        True
    """
    tokens = words_of(name)
    last = len(tokens) - 1
    found = list(_sides_of(tokens, clear=True)) or [
        (side, place)
        for side, place in _sides_of(tokens)
        if tokens[place] in ("l", "r") or (tokens[place] in _SMALL and place == last)
    ]
    if len(found) == 1:
        side, place = found[0]
        return side, (*tokens[:place], *tokens[place + 1 :])
    glued = [place for place, token in enumerate(tokens) if _is_sided_part(token)]
    if not found and len(glued) == 1:
        place, token = glued[0], tokens[glued[0]]
        side = LEFT if token[0] == "l" else RIGHT
        return side, (*tokens[:place], token[1:], *tokens[place + 1 :])
    return MIDDLE, tokens


def _is_sided_part(token: str) -> bool:
    """Whether a word is l or r and a part of a body, as in "lshoulder"."""
    return token[0] in "lr" and token[1:] in _PARTS.split() and token not in _WHOLE.split()


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
        sure = token not in _SMALL and (len(token) > 2 or not token.isascii())
        if len(tokens) > 1 and len(said) == 1 and (not clear or sure):
            yield said.pop(), place


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


def _all_sides(words: Sequence[tuple[str, ...]]) -> Iterator[_Candidate]:
    """Names with several clear sides, as in "left eye, right corner": all of them are exchanged."""
    for number, tokens in enumerate(words):
        said = {place: side for side, place in _sides_of(tokens, clear=True)}
        if len(said) > 1:
            first = said[min(said)]
            pattern = tuple(side == first for _, side in sorted(said.items()))
            rest = tuple("" if place in said else token for place, token in enumerate(tokens))
            yield _Candidate(number, first, ("all", pattern, rest))


_MIDDLE_LETTERS = {"m", "c"}
_OTHER_LETTERS = {"t", "b", "u", "d", "f"}  # top, bottom, up, down, front beside l and r


def _by_words(words: Sequence[tuple[str, ...]]) -> list[_Candidate]:
    """Every way to read a word of a name as a side: joint, side, language and the other words.

    A letter is none where the same name occurs with letters that are no side: "point d" beside
    "point a". Nor is the letter of a language, as in "line h", "line v", where other names have
    words of another one.
    """
    letters: dict[tuple[object, ...], set[str]] = {}
    for tokens in words:
        for place, token in enumerate(tokens):
            if len(token) == 1:
                rest = (*tokens[:place], *tokens[place + 1 :])
                letters.setdefault((place, *rest), set()).add(token)
    found: list[_Candidate] = []
    whole: list[_Candidate] = []  # by more than a letter or two
    for number, tokens in enumerate(words):
        for place, token in enumerate(tokens):
            rest = (*tokens[:place], *tokens[place + 1 :])
            for side, language in _said(token):
                letter = len(token) == 1 and language not in _SYLLABLES
                one, other = ({w for w in words if len(w) == 1} for words in _LANGUAGES[language])
                known = one | other | _MIDDLE_LETTERS
                if letter and {"l", "r"} <= letters[place, *rest]:
                    known |= _OTHER_LETTERS
                if not letter or (letters[place, *rest] <= known and (rest or token in "lr")):
                    # "L5" is a vertebra where no joint is called "R5"
                    of_number = letter and rest and all(word.isdecimal() for word in rest)
                    kind = ((language, bool(of_number)), token if letter else "word")
                    found.append(_Candidate(number, side, ("word", language, rest), kind))
                    if not letter and (len(token) > 2 or language in _SYLLABLES):
                        whole.append(found[-1])
    spoken = {left.key[1] for left, _ in _counterparts(whole)}
    return [
        candidate
        for candidate in found
        if candidate.kind is None
        or not spoken
        or candidate.key[1] in spoken
        or candidate.kind[1] in ("word", "l", "r")
        or not candidate.kind[1].isascii()
    ]


_SYLLABLES = {n for n, (left, _) in enumerate(_LANGUAGES) if {"左", "왼", "좌"} & set(left)}


def _glued(words: Sequence[tuple[str, ...]], names: Sequence[str]) -> Iterator[_Candidate]:
    """The same for sides at the beginning or end of a word."""
    for number, tokens in enumerate(words):
        name = unicodedata.normalize("NFKC", names[number])
        capitals = {_plain(word).casefold() for word in _CAPITAL.findall(name)}
        for place, token in enumerate(tokens):
            for pair, text, side in _GLUED_SIDES:
                for at_end in (False, True):
                    fits = token.endswith(text) if at_end else token.startswith(text)
                    if fits and len(token) > len(text):
                        end = len(token) - len(text)
                        bare = token[:end] if at_end else token[len(text) :]
                        key = ("glued", pair, at_end, *tokens[:place], bare, *tokens[place + 1 :])
                        kinds: list[tuple[object, str] | None] = [(at_end, "/".join(_GLUED[pair]))]
                        if text in _GLUED_LETTERS:  # "lip" beside "lhand", "rhand" says no side
                            kinds = [None]
                            if text in "lr" and not at_end and token not in _WHOLE.split():
                                kinds += [("glued", "capital")] * (token in capitals)
                                kinds += [("glued", "part")] * (bare in _PARTS.split())
                        yield from (_Candidate(number, side, key, kind) for kind in kinds)
