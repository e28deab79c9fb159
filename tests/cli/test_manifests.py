"""Reading manifests, and what applying one changes."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from swell.cli.manifests import BadManifest, apply_patch, read_manifests, remembering


def _service(**spec: object) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": spec}


def test_applying_twice_changes_nothing() -> None:
    wanted = remembering(_service(image="x"))
    assert apply_patch(wanted, wanted) == {}


def test_a_field_that_was_applied_before_and_is_left_out_now_is_removed() -> None:
    live = remembering(_service(image="x", port=1))
    patch = apply_patch(live, remembering(_service(image="x")))
    assert patch["spec"] == {"port": None}


def test_a_field_that_somebody_else_set_stays() -> None:
    live = remembering(_service(image="x"))
    live["spec"]["replicas"] = 3
    live["metadata"]["labels"] = {"by": "others"}
    patch = apply_patch(live, remembering(_service(image="y")))
    assert patch["spec"] == {"image": "y"}
    assert "labels" not in patch["metadata"]


def test_a_list_that_only_got_defaults_filled_in_is_left_alone() -> None:
    wanted = remembering(_service(containers=[{"image": "x"}]))
    live = copy.deepcopy(wanted)
    live["spec"]["containers"][0]["name"] = "user-container"
    assert apply_patch(live, wanted) == {}
    live["spec"]["containers"][0]["image"] = "changed by others"
    assert apply_patch(live, wanted)["spec"] == {"containers": [{"image": "x"}]}


def test_a_field_left_out_of_a_list_item_is_removed_with_the_whole_list() -> None:
    live = remembering(_service(containers=[{"image": "x", "args": ["a"]}]))
    patch = apply_patch(live, remembering(_service(containers=[{"image": "x"}])))
    assert patch["spec"] == {"containers": [{"image": "x"}]}


def test_several_documents_and_folders_are_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "2.yaml").write_text("apiVersion: v1\nkind: B\nmetadata: {name: b}\n---\n---\n")
    (tmp_path / "1.yaml").write_text("apiVersion: v1\nkind: A\nmetadata: {name: a}\n")
    (tmp_path / "notes.txt").write_text("no manifest")
    assert [obj["kind"] for obj in read_manifests([str(tmp_path)])] == ["A", "B"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind: A\nmetadata: {name: a}", "document 1: apiVersion is missing"),
        ("apiVersion: v1\nkind: A\nmetadata: {}", "metadata.name is missing"),
        ("- 1", "expected an object, found list"),
        ("a: [", "is not YAML"),
        ("", "no objects in"),
        ("kind: List\napiVersion: v1\nitems: [{kind: A, apiVersion: v1}]", "items[0]: metadata.name is missing"),
        ("kind: List\napiVersion: v1\nitems: [3]", "items[0]: expected an object, found int"),
    ],
)
def test_a_manifest_that_cannot_be_read_says_why(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(BadManifest, match="bad.yaml") as caught:
        read_manifests([str(file)])
    assert says in str(caught.value)


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "logo.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadManifest, match=r"logo\.yaml is not text"):
        read_manifests([str(tmp_path)])


def test_a_url_is_refused_with_the_way_out() -> None:
    with pytest.raises(BadManifest, match="URLs are not read"):
        read_manifests(["https://example.com/service.yaml"])


def test_a_missing_file_is_named() -> None:
    with pytest.raises(BadManifest, match=r"nowhere\.yaml: No such file"):
        read_manifests(["nowhere.yaml"])
