"""Joint layouts against those of the original program."""

import json

import numpy as np
import pytest

from har.errors import HarError
from har.layouts import LAYOUTS, MISSING, Layout, get_layout
from tests.helpers.golden import golden_path

MPII = get_layout("mpii")
NETWORK_LAYOUTS = ["pa16j", "pa17j", "pa20j", "pa21j"]


@pytest.fixture(scope="module")
def golden() -> dict:
    return json.loads(golden_path("layouts.json").read_text())


@pytest.mark.parametrize("name", NETWORK_LAYOUTS)
def test_maps_flips_and_links_are_those_of_the_original(golden, name):
    layout, truth = get_layout(name), golden[name]
    assert layout.name == name
    assert layout.num_joints == truth["num_joints"]
    assert list(layout.flip) == truth["map_hflip"]
    assert list(layout.from_ntu) == truth["map_from_ntu"]
    assert list(MPII.order_from(layout)) == truth["map_to_mpii"]
    assert [list(link) for link in layout.links] == truth["links"]
    # the original's colors: 1 and 3 for right limbs, 2 and 4 for left ones, 0 between
    side_of_color = {0: "middle", 1: "right", 2: "left", 3: "right", 4: "left"}
    assert list(layout.sides) == [side_of_color[color] for color in truth["cmap"]]
    assert layout.joints[layout.root] == "pelvis"
    assert layout.excluded_from_pck == (0, 1)


def test_mpii_order(golden):
    pa16j, mpii = get_layout("pa16j"), get_layout("mpii")
    order = pa16j.order_from(mpii)
    assert list(order) == golden["pa16j"]["map_from_mpii"]
    assert [mpii.joints[i] for i in order] == list(pa16j.joints)
    # the flip pairs that the data set documents
    pairs = {(0, 5), (1, 4), (2, 3), (10, 15), (11, 14), (12, 13)}
    assert {(i, j) for i, j in enumerate(mpii.flip) if i < j} == pairs
    assert mpii.excluded_from_pck == (6, 7)
    drawn = {frozenset(order[i] for i in link) for link in pa16j.links}
    assert {frozenset(link) for link in mpii.links} == drawn


def test_spine_hands_and_feet_are_missing_in_mpii():
    layout = get_layout("pa21j")
    order = layout.order_from(MPII)
    missing = {joint for joint, i in zip(layout.joints, order, strict=True) if i == MISSING}
    assert missing == {"spine", "left hand", "right hand", "left foot", "right foot"}


def test_ntu_joints(golden):
    ntu = get_layout("ntu25")
    for joint, label in zip(ntu.joints, golden["ntu25_joint_labels"], strict=True):
        assert joint.startswith(label)
    assert len(ntu.links) == 24
    assert {(0, 1), (1, 20), (2, 20), (2, 3), (7, 21), (7, 22)} <= set(ntu.links)
    reached = {0}
    for _ in ntu.joints:  # one connected tree
        reached |= {j for link in ntu.links if reached & set(link) for j in link}
    assert reached == set(range(25))
    assert ntu.sides[21:] == ("left", "left", "right", "right")


@pytest.mark.parametrize("name", NETWORK_LAYOUTS)
def test_left_of_ntu_is_right_in_the_picture(name):
    layout, ntu = get_layout(name), get_layout("ntu25")
    opposite = {"left": "right", "right": "left", "middle": "middle"}
    assert [opposite[ntu.sides[i]] for i in layout.from_ntu] == list(layout.sides)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_flipping_twice_changes_nothing(layout):
    flip = np.array(layout.flip)
    assert (flip[flip] == np.arange(layout.num_joints)).all()


def test_an_unknown_layout_is_named_together_with_the_known_ones():
    with pytest.raises(HarError, match=r"'pa18j'.*pa16j, pa17j"):
        get_layout("pa18j")


# ------------------------------------------------------------------- layouts of a data set's own

DOG = {
    "name": "dog",
    "joints": ["nose", "left_ear", "right_ear", "tail", "left_paw", "right_paw"],
    "links": [[0, 1], [0, 2], [0, 3]],
}


def test_a_layout_from_a_data_sets_own_list():
    layout = get_layout(DOG)
    assert layout == Layout(**DOG)
    assert get_layout(layout) is layout
    assert layout.joints[3] == "tail"
    assert layout.links == ((0, 1), (0, 2), (0, 3))
    assert layout.flip == (0, 2, 1, 3, 5, 4)
    assert layout.sides == ("middle", "left", "right", "middle", "left", "right")
    assert hash(layout)


def test_pairs_where_the_names_have_no_side():
    layout = get_layout({"name": "x", "joints": ["a", "b", "c"], "flip_pairs": [[0, 2]]})
    assert layout.flip == (2, 1, 0)
    assert layout.sides == ("middle",) * 3


def test_what_a_checkpoint_stores_restores_the_joints():
    stored = {"layout": "dog", "joint_names": DOG["joints"]}
    restored = get_layout(stored["layout"], stored["joint_names"])
    assert restored.joints == get_layout(DOG).joints
    assert restored.flip == get_layout(DOG).flip
    assert get_layout("pa16j", ["something"]) is LAYOUTS["pa16j"]


def test_joints_are_found_by_their_names():
    coco = get_layout({"name": "coco", "joints": ["nose", "left_knee", "right_knee"]})
    pa16j = get_layout("pa16j")
    assert coco.order_from(pa16j) == (
        MISSING,
        pa16j.joints.index("left knee"),
        pa16j.joints.index("right knee"),
    )
    assert pa16j.order_from(coco).count(MISSING) == 14
    with pytest.raises(HarError, match=r"dog cannot be made from the joints of mpii"):
        get_layout(DOG).order_from(get_layout("mpii"))
    with pytest.raises(HarError, match="ntu25"):  # left and right are the person's own there
        get_layout("ntu25").order_from(pa16j)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"joints": ["a", "a"], "links": []}, "a name of its own"),
        ({"links": [[0, 9]]}, "numbers from 0 to 5"),
        ({"flip_pairs": [[1, 2], [2, 4]]}, "two flip pairs"),
        ({"joints": ["left ear", "nose"], "links": []}, "without its counterpart"),
        ({"color": "red"}, "needs a name and joints"),
    ],
)
def test_impossible_layouts_are_refused(change, message):
    with pytest.raises(HarError, match=message):
        assert get_layout({**DOG, **change}).flip


def test_a_network_with_flip_pairs_can_be_predicted_with():
    """Its record has names and links only."""
    record = {"layout": "fish", "joint_names": ("left fin", "tail", "other fin")}
    restored = get_layout(record["layout"], record["joint_names"])
    assert restored.sides == ("left", "middle", "middle")


def test_joints_are_found_in_another_style_of_writing():
    own = get_layout({"name": "own", "joints": ["Nose", "KneeLeft", "R_knee"]})
    other = get_layout({"name": "other", "joints": ["right knee", "left_knee", "nose", "tail"]})
    assert own.order_from(other) == (2, 1, 0)
    assert other.order_from(own) == (2, 1, 0, MISSING)
