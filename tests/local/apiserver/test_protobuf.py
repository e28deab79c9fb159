"""Bodies as typed clients encode them (recorded from k8s.io/api v0.34.2, with the same objects as JSON)."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from swell.kube.errors import Invalid, KubeError
from swell.local.apiserver.protobuf import MAGIC, decode_object
from swell.local.apiserver.types import Types

RECORDED = [json.loads(line) for line in Path(__file__).with_name("protobuf_bodies.jsonl").read_text().splitlines()]
TYPES = Types()


def decoded(recorded: dict[str, Any]) -> Any:
    return decode_object(TYPES, base64.b64decode(recorded["body"]))


def compact(value: Any) -> Any:
    """Without empty objects and nulls: JSON of Go has them where nothing was set."""
    if isinstance(value, list):
        return [compact(each) for each in value]
    if not isinstance(value, dict):
        return value
    found = {key: compact(each) for key, each in value.items()}
    return {key: each for key, each in found.items() if each not in ({}, None)}


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: recorded["object"]["kind"])
def test_a_recorded_body_is_read_as_its_json(recorded: dict[str, Any]) -> None:
    assert compact(decoded(recorded)) == compact(recorded["object"])


def test_what_was_set_to_nothing_is_kept() -> None:
    deployment = decoded(RECORDED[0])["spec"]
    volume, *_ = deployment["template"]["spec"]["volumes"]
    assert volume == {"name": "v", "emptyDir": {}}
    assert deployment["replicas"] == 0


@pytest.mark.parametrize("recorded", RECORDED[:3], ids=lambda recorded: recorded["object"]["kind"])
def test_a_body_cut_off_anywhere_is_refused_or_read_but_never_breaks(recorded: dict[str, Any]) -> None:
    body = base64.b64decode(recorded["body"])
    for size in range(len(body)):
        try:
            assert isinstance(decode_object(TYPES, body[:size]), dict)
        except KubeError as exc:
            assert exc.status in (400, 415)


def test_a_body_without_the_magic_is_refused() -> None:
    with pytest.raises(Invalid, match="does not start with"):
        decode_object(TYPES, b'{"kind":"Pod"}')


def test_a_kind_that_is_not_known_is_named() -> None:
    kind = b"\x0a\x08\x0a\x01x\x12\x03Job"
    with pytest.raises(KubeError, match="protobuf is not understood for Job") as caught:
        decode_object(TYPES, MAGIC + kind)
    assert caught.value.status == 415
