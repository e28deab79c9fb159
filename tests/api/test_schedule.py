"""Annotation swell.dev/schedule: what is read, what is refused, and with which words."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swell.api import labels
from swell.api.admission import Denied, admit
from swell.api.field_errors import render
from swell.api.kinds import SERVICE
from swell.api.schedule import ScheduleEntry, cron_fault, read_schedule, schedule_faults

PATH = "spec.template.metadata.annotations"
AT = f"{PATH}.swell.dev/schedule"
GOOD = '{cron: "0 8 * * mon-fri", timezone: Europe/Berlin, replicas: 3, duration: 10h}'


def told(text: str, **others: str) -> str:
    return render(schedule_faults({labels.SCHEDULE: text, **others}, PATH, labels.CLASS_KPA))


def entry(**changes: object) -> str:
    fields = {"cron": "0 8 * * *", "replicas": 3, "duration": "10h", **changes}
    return json.dumps([{key: value for key, value in fields.items() if value is not None}])


def test_a_list_is_read_from_yaml_and_from_json() -> None:
    text = f"""
    - {GOOD}
    - cron: "*/30 22-23 l * *"
      replicas: 0
      duration: 1m
    """
    expected = (
        ScheduleEntry("0 8 * * mon-fri", "Europe/Berlin", 3, 36000.0),
        ScheduleEntry("*/30 22-23 l * *", "UTC", 0, 60.0),
    )
    assert told(text) == ""
    assert read_schedule({labels.SCHEDULE: text}) == expected
    assert read_schedule({labels.SCHEDULE: entry()}) == (ScheduleEntry("0 8 * * *", "UTC", 3, 36000.0),)
    assert read_schedule({}) == ()


@pytest.mark.parametrize(
    ("changes", "at", "words"),
    [
        ({"cron": "0 8 * *"}, ".cron", "invalid value: 0 8 * *"),
        ({"cron": "0 0 8 * * *"}, ".cron", "must be five fields"),
        ({"cron": "60 8 * * *"}, ".cron", "bad minute"),
        ({"cron": "0 8 * * fri-mon"}, ".cron", "bad day-of-week"),
        ({"cron": "0 8 30 2 *"}, ".cron", "bad day-of-month"),
        ({"cron": "@daily"}, ".cron", 'such as "0 8 * * mon-fri"'),
        ({"cron": 8}, ".cron", "must be five fields"),
        ({"cron": None}, ".cron", "missing field(s)"),
        ({"timezone": "Europe/Bern"}, ".timezone", "invalid value: Europe/Bern"),
        ({"timezone": "Europe"}, ".timezone", "unknown time zone"),
        ({"timezone": "../../etc/passwd"}, ".timezone", "unknown time zone"),
        ({"timezone": "/etc/localtime"}, ".timezone", "unknown time zone"),
        ({"timezone": ""}, ".timezone", "unknown time zone"),
        ({"timezone": 1}, ".timezone", "unknown time zone"),
        ({"replicas": -1}, ".replicas", "expected 0 <= -1 <= 2147483647"),
        ({"replicas": 2**31}, ".replicas", "expected 0 <= 2147483648 <= 2147483647"),
        ({"replicas": "3"}, ".replicas", "must be a whole number from 0 to 2147483647"),
        ({"replicas": 1.5}, ".replicas", "must be a whole number"),
        ({"replicas": True}, ".replicas", "must be a whole number"),
        ({"replicas": None}, ".replicas", "missing field(s)"),
        ({"duration": "59s"}, ".duration", "expected 1m <= 59s <= 744h"),
        ({"duration": "745h"}, ".duration", "expected 1m <= 745h <= 744h"),
        ({"duration": "-1h"}, ".duration", "expected 1m <= -1h <= 744h"),
        ({"duration": "10 hours"}, ".duration", "must be a duration such as 90m or 10h"),
        ({"duration": 600}, ".duration", "must be a duration"),
        ({"duration": None}, ".duration", "missing field(s)"),
        ({"until": "18:00"}, ".until", "must not set the field(s)"),
    ],
)
def test_a_fault_names_entry_field_and_what_is_allowed(changes: dict[str, object], at: str, words: str) -> None:
    text = entry(**changes)
    message = told(text)
    assert words in message and f"{AT}[0]{at}" in message
    assert message.count(AT) == 1
    assert read_schedule({labels.SCHEDULE: text}) == ()


@pytest.mark.parametrize("text", ["", "cron", GOOD, "- [", '"0 8 * * *"', "x: &a [*a]"])
def test_what_is_no_list_is_refused_with_an_example(text: str) -> None:
    message = told(text)
    assert f": {AT}" in message and "must be a list in YAML or JSON, such as [{cron:" in message


def test_the_number_of_entries_and_the_length_of_the_text_are_bounded() -> None:
    assert told("[]") == f"expected 1 <= 0 <= 16: {AT}: number of entries"
    assert told(f"[{', '.join([GOOD] * 16)}]") == ""
    assert told(f"[{', '.join([GOOD] * 17)}]") == f"expected 1 <= 17 <= 16: {AT}: number of entries"
    assert "at most 16384 characters" in told(" " * 16385)
    assert f"{AT}[0].cron\nat most 256 characters" in told(entry(cron=f"{'0,' * 200}0 8 * * *"))


def test_every_fault_of_every_entry_is_told() -> None:
    message = told(f'[{{cron: "61 * * * *", replicas: -1, duration: 1s}}, {GOOD}, 7]')
    assert [f"{AT}[0].{key}" in message for key in ("cron", "replicas", "duration")] == [True] * 3
    assert f"{AT}[2]" in message and f"{AT}[1]" not in message


def test_a_short_text_whose_aliases_make_a_huge_value_is_refused_shortly() -> None:
    bomb = ["- &a0 [x, x, x, x, x, x, x, x, x]"]
    bomb += [f"- &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 12)]
    assert len(told("\n".join(bomb))) < 5000


def test_replicas_are_at_most_max_scale() -> None:
    assert told(entry(replicas=3), **{labels.MAX_SCALE: "3"}) == ""
    assert told(entry(replicas=3), **{labels.MAX_SCALE: "0"}) == ""
    message = told(entry(replicas=3), **{labels.MAX_SCALE_ALIAS: "2"})
    assert message == f"invalid value: 3: {AT}[0].replicas\nat most max-scale, which is 2"


def test_the_class_must_be_ours() -> None:
    assert told(entry(), **{labels.AUTOSCALER_CLASS: labels.CLASS_HPA}) == (
        f"works with class {labels.CLASS_KPA} only: {AT}"
    )
    assert schedule_faults({labels.SCHEDULE: entry()}, PATH, labels.CLASS_HPA)
    assert not schedule_faults({}, PATH, labels.CLASS_HPA)


@settings(max_examples=300)
@given(st.text(st.sampled_from("0123456789*/,-lw#LW? monfrijan²\n"), max_size=24))
def test_whatever_stands_for_a_cron_expression_is_read_or_refused(text: str) -> None:
    assert isinstance(cron_fault(text), str)
    assert isinstance(cron_fault(f"{text} 1 * * *"), str)
    assert isinstance(cron_fault(f"0 1 * * {text}"), str)


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_whatever_text_comes_is_read_or_refused(text: str) -> None:
    assert told(text)


def service(annotations: dict[str, str], own: dict[str, str]) -> dict[str, object]:
    return {
        "apiVersion": SERVICE.api_version,
        "kind": SERVICE.kind,
        "metadata": {"name": "hello", "namespace": "default", "annotations": own},
        "spec": {
            "template": {
                "metadata": {"annotations": annotations},
                "spec": {"containers": [{"image": "hello"}]},
            }
        },
    }


def test_admission_refuses_a_service_by_its_template() -> None:
    admit(service({labels.SCHEDULE: f"[{GOOD}]"}, {}))
    with pytest.raises(Denied, match=r"spec\.template\.metadata\.annotations\.swell\.dev/schedule\[0\]\.duration"):
        admit(service({labels.SCHEDULE: entry(duration="1s")}, {}))
    with pytest.raises(Denied, match=r'must be put under "spec.template.metadata.annotations"'):
        admit(service({}, {labels.SCHEDULE: f"[{GOOD}]"}))


def test_only_those_with_a_schedule_load_what_reads_it() -> None:
    code = (
        "import sys, swell.api.admission, activator.queueproxy.__main__\n"
        "sys.exit(bool({'cronsim', 'zoneinfo'} & sys.modules.keys()))"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True)
