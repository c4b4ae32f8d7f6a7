"""Left and right in names of joints: pairs, sides and names that are the same."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from har.joint_names import MISSING, find_sides, joint_key, match_joints, words_of
from har.layouts import LAYOUTS, Layout, LayoutError

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
    "左眼左角 右眼右角",
    "L R",
    "left right",
    "左 右",
    "links rechts",
    "mano_izqda mano_dcha",
    "ojo_izq. ojo_dcho.",
    "pie_izdo pie_dch",
    "manoizquierda manoderecha",
    "manosinistra manodestra",
    "mãoesquerda mãodireita",
    "vänsteraxel högeraxel",
    "venstrehånd højrehånd",
    "venstrehånd høyrehånd",
    "balkéz jobbkéz",
    "vasenkäsi oikeakäsi",
    "ЛевоеПлечо ПравоеПлечо",
    "леваярука праваярука",
    "ΑριστερόΧέρι ΔεξίΧέρι",
    "ひだりて みぎて",
    "ヒダリテ ミギテ",
    "hidari_te migi_te",
    "좌어깨 우어깨",
    "الكتف_الأيسر الكتف_الأيمن",
    "اليد_اليسرى اليد_اليمنى",
    "دست_چپ دست_راست",
    "lijeva_ruka desna_ruka",
    "ľavá_ruka pravá_ruka",
    "man_esquerda man_dereita",
    "linker_hand regter_hand",
    "oculus_sinister oculus_dexter",
    "main_gch main_drt",
    "umăr_stâng umăr_drept",
    "mână_stângă mână_dreaptă",
    "лява_ръка дясна_ръка",
    "kairysis_kelis dešinysis_kelis",
    "人左手 人右手",
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
        "H V",
        "der des",
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


def pairs_of(joints: str) -> set[tuple[str, str]]:
    names = joints.split(", ")
    return {(names[i], names[j]) for i, j in find_sides(names).pairs}


@pytest.mark.parametrize(
    ("joints", "pairs"),
    [
        ("L_F_paw, R_F_paw, L_R_paw, R_R_paw", "L_F_paw R_F_paw, L_R_paw R_R_paw"),
        ("l_l_leg, r_l_leg, l_u_leg, r_u_leg", "l_l_leg r_l_leg, l_u_leg r_u_leg"),
        ("mouth_u, mouth_d, mouth_l, mouth_r, eye_l, eye_r", "mouth_l mouth_r, eye_l eye_r"),
        ("HeadT, HeadB, HeadL, HeadR", "HeadL HeadR"),
        ("neck_f, neck_b, neck_l, neck_r, l_hip, r_hip", "neck_l neck_r, l_hip r_hip"),
        ("left, right, left_ear, right_ear", "left right, left_ear right_ear"),
        ("L, R, L_ear, R_ear, nose", "L R, L_ear R_ear"),
        ("left_hand, right_hand, line_h, line_v", "left_hand right_hand"),
        ("left_hand, right_hand, edge_e, edge_d", "left_hand right_hand"),
        ("left_hand, right_hand, seam_g, seam_d", "left_hand right_hand"),
        ("left_hand, right_hand, eye_l, eye_r", "left_hand right_hand, eye_l eye_r"),
        ("vänster_hand, höger_hand, fot_v, fot_h", "vänster_hand höger_hand, fot_v fot_h"),
        ("00_left_hip, 01_right_hip, 02_nose", "00_left_hip 01_right_hip"),
        ("left_hip_5, right_hip_2", "left_hip_5 right_hip_2"),
        ("1._left_hip, 2._right_hip", "1._left_hip 2._right_hip"),
        ("1_left_hip, 1_right_hip, 2_left_hip, 2_right_hip",
         "1_left_hip 1_right_hip, 2_left_hip 2_right_hip"),
        ("linke Schulter, rechte Schulter, Mitte der Schultern", "linke Schulter|rechte Schulter"),
        ("épaule gauche, épaule droite, milieu des épaules", "épaule gauche|épaule droite"),
        ("mano izquierda, mano derecha, punto sin nombre", "mano izquierda|mano derecha"),
        ("left_arm, right_arm, link_1, link_2", "left_arm right_arm"),
        ("Lhand, Rhand, Root, Leg, Lower, Head", "Lhand Rhand"),
        ("lhand, rhand, leg, lower, root, ring", "lhand rhand"),
        ("lefthand, righthand, upright", "lefthand righthand"),
        ("l_hip, r_hip, C7, T10, L5", "l_hip r_hip"),
    ],
)  # fmt: skip
def test_every_pair_is_found_and_nothing_else(joints: str, pairs: str) -> None:
    expected = {tuple(pair.split("|" if "|" in pair else " ")) for pair in pairs.split(", ")}
    assert pairs_of(joints) == expected
    assert find_sides(joints.split(", ")).unpaired == ()
    assert Layout("x", tuple(joints.split(", "))).can_mirror


@pytest.mark.parametrize(
    ("joints", "lonely"),
    [
        ("左手, 右手, 左脚", "左脚"),
        ("lewa ręka, prawa ręka, lewa noga", "lewa noga"),
        ("левая рука, правая рука, левая нога", "левая нога"),
        ("l_hand, r_hand, l_foot", "l_foot"),
        ("l_hand, r_hand, l_foot, r_fot", "l_foot, r_fot"),
        ("Lhand, Rhand, Lfoot", "Lfoot"),
        ("Lhand, Rhand, Lfoot, Rfot, head", "Lfoot, Rfot"),
        ("lhand, rhand, lfoot", "lfoot"),
        ("L1, R1, L2", "L2"),
        ("lefthand, righthand, leftfoot, rigthfoot", "leftfoot"),
        ("좌어깨, 우어깨, 좌발", "좌발"),
        ("left_ear, right_ear, left", "left"),
        ("mano izquierda, mano derecha, pie dcho", "pie dcho"),
        ("рука_л, рука_п, нога_л", "нога_л"),
    ],
)
def test_a_side_without_its_counterpart_in_any_way_of_writing(joints: str, lonely: str) -> None:
    """Mirroring would leave its label on the wrong side."""
    names = joints.split(", ")
    found = find_sides(names)
    assert [names[number] for number in found.unpaired] == lonely.split(", ")
    assert not Layout("x", tuple(names)).can_mirror
    assert len(found.pairs) == 1


def test_sides_without_a_space_have_the_same_key() -> None:
    spellings = ["Lshoulder", "lshoulder", "LSHOULDER", "LShoulder", "leftshoulder", "shoulderleft"]
    assert {joint_key(name) for name in spellings} == {("left", ("shoulder",))}
    assert joint_key("righthip") == joint_key("RHIP") == joint_key("hip_r") == ("right", ("hip",))
    assert joint_key("左肩") == joint_key("肩（左）") == ("left", ("肩",))
    assert joint_key("manoizquierda") == joint_key("mano_izq") == ("left", ("mano",))
    assert joint_key("mano_der") == joint_key("mano derecha") == ("right", ("mano",))
    for name in ("leg", "lip", "rib", "lear", "rear", "ring", "lower", "upright", "elbow", "root"):
        assert joint_key(name) == ("middle", (name,))
    assert joint_key("Mitte der Schultern")[0] == "middle"


def test_joints_of_layouts_keep_their_keys() -> None:
    for layout in LAYOUTS.values():
        for joint, side in zip(layout.joints, layout.sides, strict=True):
            rest = [word for word in joint.split() if word not in ("left", "right")]
            assert joint_key(joint) == (side, tuple(rest))


SYLLABLES = "left right l r L R Hand hand foot eye rear d i 1 2 _ . 左 手 der"
a_name = st.lists(st.sampled_from(SYLLABLES.split()), min_size=1, max_size=4).map("".join)


@settings(deadline=None)
@given(st.lists(a_name, unique=True, min_size=1, max_size=8).flatmap(
    lambda names: st.tuples(st.just(names), st.permutations(names))
))  # fmt: skip
def test_the_order_of_names_changes_nothing(lists: tuple[list[str], list[str]]) -> None:
    found = []
    for names in lists:
        sides = find_sides(names)
        pairs = {(names[i], names[j]) for i, j in sides.pairs}
        found.append((pairs, dict(zip(names, sides.sides, strict=True)),
                      {names[number] for number in sides.unpaired}))  # fmt: skip
        assert len({name for pair in pairs for name in pair}) == 2 * len(pairs)
        layout = Layout("x", tuple(names), flip_pairs=sides.pairs)
        assert [layout.flip[other] for other in layout.flip] == list(range(len(names)))
    assert found[0] == found[1]
