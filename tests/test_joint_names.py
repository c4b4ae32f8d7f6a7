"""Left and right in names of joints: pairs, sides and names that are the same."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from har.joint_names import MISSING, find_sides, joint_key, match_joints, words_of
from har.layouts import Layout, LayoutError

PAIRS = [
    "left_eye right_eye",
    "hand_left hand_right",
    "LeftFoot RightFoot",
    "LeftToeBase RightToeBase",
    "hand.L hand.R",
    "L_hand R_hand",
    "l-foot r-foot",
    "Lhand Rhand",
    "Lsho Rsho",
    "handL handR",
    "lefthand righthand",
    "LHip RHip",
    "LA RA",
    "LEFT_KNEE RIGHT_KNEE",
    "leftHandIndex1 rightHandIndex1",
    "front_left_paw front_right_paw",
    "knee(left) knee(right)",
    "linke_Hand rechte_Hand",
    "linkerFuß rechterFuß",
    "Knie_links Knie_rechts",
    "hand_li hand_re",
    "main_gauche main_droite",
    "pied_gauche pied_droit",
    "épaule_g épaule_d",
    "mano_izquierda mano_derecha",
    "pie_izq pie_der",
    "rodilla_i rodilla_d",
    "mano_sinistra mano_destra",
    "piede_sx piede_dx",
    "gomito_s gomito_d",
    "mao_esquerda mao_direita",
    "lewa_reka prawa_reka",
    "левая_рука правая_рука",
    "vänster_hand höger_hand",
    "venstre_hånd højre_hånd",
    "左手 右手",
    "왼손 오른손",
    "tay_trái tay_phải",
    "يد_يسرى يد_يمنى",
    "hand_v hand_h",
    "left_eye_left_corner right_eye_right_corner",
    "left_eye_right_corner right_eye_left_corner",
]


@pytest.mark.parametrize("names", PAIRS)
def test_pairs_in_many_languages_and_styles(names: str) -> None:
    left, right = names.split()
    for order in ([left, right], [right, left]):
        joints = ["nose", *order, "tail"]
        found = find_sides(joints)
        assert [(joints[i], joints[j]) for i, j in found.pairs] == [(left, right)]
        assert found.unpaired == ()
        assert Layout("x", tuple(joints)).flip == (0, 2, 1, 3)
        assert Layout("x", tuple(joints)).can_mirror


def test_all_at_once_does_not_mix_them_up() -> None:
    """A skeleton in one style: no pair crosses to another joint."""
    parts = ["eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "leg", "rib"]
    corners = [f"{a}_eye_{b}_corner" for a in ("left", "right") for b in ("left", "right")]
    assert set(find_sides(corners).pairs) == {(0, 3), (1, 2)}
    for style in ("{}_left {}_right", "L{} R{}", "{}_l {}_r", "l{} r{}", "{}_g {}_d"):
        names = ["nose", *[word.format(p) for p in parts for word in style.split()]]
        assert set(find_sides(names).pairs) == {(n, n + 1) for n in range(1, len(names), 2)}


@pytest.mark.parametrize(
    "names",
    [
        "nose tail belly",
        "point1 point2 point3",
        "a b c",
        "1 2 3",
        "hand1 hand2",
        "L R",
        "left right",
    ],
)
def test_names_without_a_side(names: str) -> None:
    found = find_sides(names.split())
    assert found.pairs == found.unpaired == ()
    assert not Layout("x", tuple(names.split())).can_mirror
    assert Layout("x", tuple(names.split()), flip_pairs=()).can_mirror


def test_a_joint_without_its_counterpart() -> None:
    layout = Layout("x", ("left_hand", "left_foot", "right_foot"))
    assert find_sides(layout.joints).unpaired == (0,)
    assert not layout.can_mirror
    assert layout.sides == ("left", "left", "right")
    with pytest.raises(LayoutError, match=r"left_hand.*flip_pairs"):
        _ = layout.flip


def test_a_middle_joint_beside_a_pair() -> None:
    assert find_sides(["eye_l", "eye_m", "eye_r"]).pairs == ((0, 2),)


def test_names_of_several_data_sets_are_the_same() -> None:
    keys = {
        joint_key(name) for name in ("LeftKnee", "knee_left", "left knee", "L_knee", "Left-Knee")
    }
    assert keys == {("left", ("knee",))}
    assert joint_key("nose") == ("middle", ("nose",))
    assert joint_key("right_knee") != joint_key("left_knee")


DIFFERENT = [
    ["x+", "x-"],
    ["hand", "Hand"],
    ["toe1", "toe_1"],
    ["left_hand", "hand_left"],
    ["má", "mà", "ma"],
    ["Fuß", "Fuss"],
    ["ひざ", "ひさ"],
    ["😀", "😎"],
]


@pytest.mark.parametrize("names", DIFFERENT)
def test_names_that_words_do_not_tell_apart_are_different_joints(names: list[str]) -> None:
    layout = Layout("x", tuple(names))
    assert match_joints(names, names) == layout.order_from(layout) == tuple(range(len(names)))
    assert len(set(layout.parts)) == len(names)
    assert match_joints(names[::-1], names) == tuple(range(len(names)))[::-1]


def test_marks_that_make_another_letter_stay() -> None:
    assert words_of("ひざ") != words_of("ひさ")  # knee; their strokes are no accents
    assert words_of("ﾋｻﾞ") != words_of("ヒサ")
    assert words_of("कान") == ("कान",) != words_of("कोन")  # ear and corner: one word each
    assert words_of("épaule") == ("epaule",)


def test_a_joint_is_matched_by_words_only_where_one_has_them() -> None:
    assert match_joints(["LeftHand", "Nose"], ["nose", "left_hand"]) == (1, 0)
    assert match_joints(["LeftHand"], ["left_hand", "hand_left"]) == (MISSING,)
    assert match_joints(["left_hand", "hand_left"], ["LeftHand"]) == (MISSING, MISSING)
    assert match_joints(["hand", "Hand"], ["Hand", "head"]) == (MISSING, 0)
    assert match_joints([], ["a"]) == ()
    with pytest.raises(LayoutError, match="cannot be made"):
        Layout("a", ("x",)).order_from(Layout("b", ("x+", "x-")))


@settings(deadline=None)
@given(st.lists(st.text("aAáä1_+ LrR.Ssß", max_size=5), unique=True, max_size=8))
def test_every_joint_is_itself(names: list[str]) -> None:
    assert match_joints(names, names) == tuple(range(len(names)))
