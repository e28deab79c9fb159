"""Local images: what a name stands for, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from swell.local.images import COMPOUND, SHELL, ImageError, Images, short_name, split_line, unknown_image


def _app(folder: Path, procfile: str = "web: python3 app.py\n") -> Path:
    folder.mkdir()
    (folder / "Procfile").write_text(procfile)
    return folder


def test_a_folder_with_a_procfile_is_an_image(tmp_path: Path) -> None:
    app = _app(tmp_path / "app", "# what runs\nworker: sleep 1\nweb:  python3 app.py --verbose\n")
    images = Images(tmp_path / "state")
    image = images.add("hello", folder=app)
    assert (image.folder, image.describe()) == (str(app), str(app))
    assert images.find("hello") == image
    assert image.argv() == ["python3", "app.py", "--verbose"]
    (app / "Procfile").write_text("web: ruby app.rb\n")
    assert image.argv() == ["ruby", "app.rb"], "read anew at each start"


def test_a_command_is_an_image_that_runs_where_it_was_registered(tmp_path: Path) -> None:
    image = Images(tmp_path).add("hello", command=" sleep 1000 ")
    assert (image.command, image.describe(), image.folder) == ("sleep 1000", "sleep 1000", str(Path.cwd()))


def test_others_see_additions_changes_and_removals_at_once(tmp_path: Path) -> None:
    ours, theirs = Images(tmp_path), Images(tmp_path)
    versions = [theirs.version()]
    ours.add("b", command="one")
    versions.append(theirs.version())
    ours.add("a", command="two")
    ours.add("b", command="three")
    versions.append(theirs.version())
    assert [(image.name, image.command) for image in theirs.list()] == [("a", "two"), ("b", "three")]
    ours.remove("a")
    versions.append(theirs.version())
    assert [image.name for image in theirs.list()] == ["b"]
    assert len(set(versions)) == len(versions)


FOUND = [
    ("hello", "plain"),
    ("hello:2", "plain"),
    ("hello@sha256:0123", "plain"),
    ("dev.local/team/hello:1", "plain"),
    ("localhost:5000/hello", "plain"),
    ("dev.local/hello:1", "exact"),
    ("hello-2", None),
    ("hello/other", None),
    ("x" * 300, None),
]


@pytest.mark.parametrize(("asked", "found"), FOUND)
def test_the_exact_name_wins_then_the_last_part_without_tag_and_digest(
    tmp_path: Path, asked: str, found: str | None
) -> None:
    images = Images(tmp_path)
    images.add("hello", command="plain")
    images.add("dev.local/hello:1", command="exact")
    image = images.find(asked)
    assert (image.command if image else None) == found


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    images = Images(tmp_path / "state")
    (tmp_path / "empty").mkdir()
    workers = _app(tmp_path / "workers", "worker: sleep 1\n")
    quotes = _app(tmp_path / "quotes", "web: echo 'x\n")
    wrong = [
        ({"folder": tmp_path / "missing"}, "there is no folder"),
        ({"folder": tmp_path / "empty"}, "has no Procfile; make one with the line `web: COMMAND`"),
        ({"folder": workers}, "has no line `web: COMMAND`"),
        ({"folder": quotes}, "is no command line: No closing quotation"),
        ({"folder": workers, "command": "x"}, "either a folder or --command, and not both"),
        ({}, "either a folder or --command, and not both"),
        ({"command": " "}, "--command is empty"),
    ]
    for options, message in wrong:
        with pytest.raises(ImageError, match=message.replace("(", r"\(")):
            images.add("hello", **options)
    for name in ("", "two words", "a/", ":1", "x" * 300):
        with pytest.raises(ImageError, match="cannot be an image's name"):
            images.add(name, command="x")
    images.add("other", command="x")
    with pytest.raises(ImageError, match="no local image 'hello'; there are: other"):
        images.remove("hello")
    assert [image.name for image in images.list()] == ["other"]


LINES = [
    ("python3 app.py 'a b'", ["python3", "app.py", "a b"]),
    ("sh -c 'echo no; exit $CODE'", ["sh", "-c", "echo no; exit $CODE"]),
    (r"say a\ b \$HOME", ["say", "a b", "$HOME"]),
    ("python3 app.py --port $PORT", [SHELL, "-c", "exec python3 app.py --port $PORT"]),
    ('python3 app.py "--port=$PORT"', [SHELL, "-c", 'exec python3 app.py "--port=$PORT"']),
    ("run --port=${PORT} > out", [SHELL, "-c", "exec run --port=${PORT} > out"]),
    ("A=1 run", [SHELL, "-c", "exec env A=1 run"]),
    ("migrate && run", [SHELL, "-c", f"{COMPOUND}migrate && run"]),
    ("{ run; }", [SHELL, "-c", COMPOUND + "{ run; }"]),
]


@pytest.mark.parametrize(("line", "argv"), LINES)
def test_a_line_gets_a_shell_only_where_it_needs_one(line: str, argv: list[str]) -> None:
    assert split_line(line, "hello") == argv


@pytest.mark.parametrize("content", ['{"name": "hel', "[]", '{"name": "hello"}', '{"name": "hello", "folder": 3}'])
def test_a_file_that_is_no_image_is_told_with_the_way_out(tmp_path: Path, content: str) -> None:
    images = Images(tmp_path)
    images.add("hello", command="x")
    path = tmp_path / "images" / "hello.json"
    path.write_text(content)
    for read in (images.list, lambda: images.find("hello")):
        with pytest.raises(ImageError, match=f"{path} is no image's file .*: delete it, or register"):
            read()
    images.add("hello", command="y")
    assert [image.command for image in images.list()] == ["y"]


def test_short_names() -> None:
    assert short_name("dev.local:5000/a/hello:1@sha256:00") == "hello"
    assert 'no local image "x/hello:1"' in unknown_image("x/hello:1")
    assert "`swell image add hello DIR` (or --command)" in unknown_image("x/hello:1")
