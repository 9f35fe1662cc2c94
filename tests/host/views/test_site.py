"""`bench report --site`: what is written, what is left, and that it is all or nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from bench_command import run_bench
from made_runs import make_run
from rkbench.errors import BenchError, UsageError
from rkbench.results.history import history_row
from rkbench.results.measures import LATENCY_P50
from rkbench.results.trend import Trend, TrendPoint
from rkbench.store import open_store
from rkbench.views.page import breakable
from rkbench.views.site.build import BuiltSite, build_site
from rkbench.views.site.listing import slug, states
from rkbench.views.site.trend_line import drawn_trend
from site_store import HOSTILE, add_push, fill, push_id


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    address = tmp_path_factory.mktemp("store") / "results.sqlite"
    fill(address)
    return address


@pytest.fixture
def address(filled: Path, tmp_path: Path) -> Path:
    """A store of its own."""
    copy = tmp_path / "results.sqlite"
    with open_store(filled) as store:
        store.backup(copy)
    return copy


def build(address: Path, target: Path) -> BuiltSite:
    with open_store(address) as store:
        return build_site(store, target)


def files(target: Path) -> dict[str, bytes]:
    found = [path for path in target.rglob("*") if path.is_file()]
    return {str(path.relative_to(target)): path.read_bytes() for path in found}


def test_the_ends_of_a_trends_axes_never_read_alike() -> None:
    points = [
        TrendPoint(str(number), 1_796_000_000.0 + 600 * number, 0.0020691 + number * 1e-7, False, False)
        for number in range(3)
    ]
    found = drawn_trend([Trend("net on desk", True, tuple(points), ())], LATENCY_P50, "net")
    assert found is not None
    assert (found.low, found.high) == ("≈2.0691 ms", "≈2.0693 ms")
    assert (found.first, found.last) == ("2026-11-30 00:53", "2026-11-30 01:13")


def test_verdicts_of_simulated_runs_are_counted_by_themselves() -> None:
    rows = [history_row(make_run(number, simulated=number > 1)) for number in (1, 2, 3)]
    assert states(rows) == [("VALID", True, 2), ("VALID", False, 1)]


def test_a_site_has_a_page_for_everything_and_every_link_leads_somewhere(
    filled: Path, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    built = build(filled, site)
    assert built == BuiltSite(written=len(files(site)) - 1, kept=0, removed=0)
    pages = sorted(site.rglob("*.html"))
    assert len(list(site.glob("pushes/*.html"))) == 31
    assert len(list(site.glob("boards/*.html"))) == 4
    assert len(list(site.glob("models/*.html"))) == 5
    assert len(list(site.glob("nights/*.html"))) == 1
    assert len(list(site.glob("reports/*.html"))) == 5
    for page in pages:
        for link in re.findall(r'(?:href|src)="([^"#][^"]*)"', page.read_text("utf-8")):
            if not link.startswith("data:"):
                assert (page.parent / link).is_file(), (page, link)


def test_numbers_on_its_pages_are_those_of_the_store(filled: Path, tmp_path: Path) -> None:
    build(filled, tmp_path / "site")
    with open_store(filled) as store:
        rows = store.history(model="mobilenetv2.int8-mmse")
    page = (tmp_path / "site" / f"models/{slug('mobilenetv2.int8-mmse')}.html").read_text("utf-8")
    cells = [
        re.findall(r'<td class="n">([^<]*)</td>', row) for row in page.split("<tbody>")[1].split("</tr>")[:-1]
    ]
    assert [row[0] for row in cells] == [
        ("≈" if row.simulated else "") + LATENCY_P50.unit.text(row.measures["latency_p50_s"]) for row in rows
    ]


def test_what_shows_the_same_is_not_written_again(address: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    first = build(address, site)
    assert build(address, site) == BuiltSite(0, first.written, 0)
    add_push(address, 30)
    built = build(address, site)
    # Three variants, a board, first page and the lists (4), its own page, report, script of pushes, and two
    # others: of models and boards, whose numbers of runs changed; the sixth report goes.
    assert built.removed == 1
    assert built.written < 20
    assert (site / f"pushes/{push_id(30)}.html").is_file()
    assert not (site / f"reports/{push_id(25)}.html").exists()
    assert f"reports/{push_id(25)}" not in (site / f"pushes/{push_id(25)}.html").read_text("utf-8")
    again = tmp_path / "again"
    build(address, again)
    assert files(site) == files(again)


def test_a_page_that_was_taken_away_comes_back(address: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    build(address, site)
    whole = files(site)
    (site / "index.html").unlink()
    (site / "site.json").write_text("{", encoding="utf-8")
    build(address, site)
    assert files(site) == whole


def test_a_folder_of_something_else_is_left_alone(address: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("years", encoding="utf-8")
    with pytest.raises(UsageError, match="holds something else than a site"):
        build(address, home)
    (home / "thesis.tex").unlink()
    (home / "site.json").write_text('{"files": {"../results.sqlite": "x", "/etc/passwd": "y"}}', "utf-8")
    assert build(address, home).removed == 0
    assert address.exists()


def test_a_full_disk_leaves_the_site_as_it_was(address: Path, tmpfs: Path) -> None:
    site = tmpfs / "site"
    build(address, site)
    before = files(site)
    add_push(address, 31)
    filling = tmpfs / "filling"
    with filling.open("wb") as out, pytest.raises(OSError, match="No space"):
        while True:
            out.write(bytes(1 << 16))
            out.flush()
    with pytest.raises(BenchError, match="No space left"):
        build(address, site)
    assert files(site) == before
    filling.unlink()
    assert build(address, site).written > 0


def test_a_target_that_cannot_be_written_is_named(address: Path, tmp_path: Path) -> None:
    locked = tmp_path / "file"
    locked.write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="Not a directory"):
        build(address, locked / "site")
    ended = run_bench("report", "--site", "/proc/site", "--store", str(address))
    assert ended.returncode == 2
    assert "/proc/site" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_what_a_killed_build_left_goes_with_the_next(address: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    left = site / ".new-4000000000"
    mine = site / f".new-{os.getppid()}"
    build(address, site)
    for folder in (left, mine):
        folder.mkdir()
        (folder / "half.html").write_text("half", encoding="utf-8")
    build(address, site)
    assert not left.exists()
    assert mine.exists(), "another that still builds keeps its folder"


_KILLED_AT_THE_FIRST_FILE = """
import os, sys
from pathlib import Path
from rkbench.store import open_store
from rkbench.views.site.build import build_site
sys.addaudithook(lambda event, args: event == "os.rename" and ".new-" in str(args[0]) and os._exit(9))
with open_store(Path(sys.argv[1])) as store:
    build_site(store, Path(sys.argv[2]))
"""


def test_a_first_build_that_was_killed_stands_in_no_ones_way(address: Path, tmp_path: Path) -> None:
    begun, placing = tmp_path / "begun", tmp_path / "placing"
    (begun / ".new-4000000000").mkdir(parents=True)
    build(address, begun)
    argv = [sys.executable, "-c", _KILLED_AT_THE_FIRST_FILE, str(address), str(placing)]
    assert subprocess.run(argv, check=False).returncode == 9
    assert any(placing.iterdir())
    build(address, placing)
    assert files(placing) == files(begun)


def test_a_name_breaks_behind_its_dots_and_shows_what_it_holds() -> None:
    assert breakable("digits.fp16-a/b") == "digits.<wbr>fp16-<wbr>a/<wbr>b"
    assert str(breakable("<b>.x</b>")) == "&lt;b&gt;.<wbr>x&lt;/<wbr>b&gt;"
    assert "\x1b" not in breakable("\x1b")


def test_names_are_shown_and_do_nothing(filled: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    build(filled, site)
    for path, data in files(site).items():
        assert b"<img src=x" not in data, path
        assert b"<b>shelf" not in data, path
        assert b"\x1b" not in data, path
    assert slug(HOSTILE) == slug(HOSTILE)
    assert re.fullmatch(r"[a-z0-9-]+", slug(HOSTILE))
    assert slug("a/../b") != slug("a-b")
    assert slug("A") != slug("a")


def test_a_damaged_run_takes_nothing_else_with_it(address: Path, tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(address) as db:
        db.execute("UPDATE runs SET document = '{\"schema\": 9}' WHERE id = ?", (f"{push_id(3)}-02",))
    db.close()
    build(address, tmp_path / "site")
    page = (tmp_path / "site" / f"pushes/{push_id(3)}.html").read_text("utf-8")
    assert "Left out:" in page
    assert "mobilenetv2.hybrid" in page


def test_an_empty_store_has_a_site_that_says_so(tmp_path: Path) -> None:
    open_store(tmp_path / "empty.sqlite").close()
    ended = run_bench("report", "--site", str(tmp_path / "site"), "--store", str(tmp_path / "empty.sqlite"))
    assert ended.returncode == 0, ended.stderr
    assert "index.html: " in ended.stdout
    assert "Nothing is stored yet" in (tmp_path / "site/index.html").read_text("utf-8")


def test_a_site_is_of_everything(address: Path, tmp_path: Path) -> None:
    ended = run_bench("report", "last", "--site", str(tmp_path / "site"), "--store", str(address))
    assert ended.returncode == 2
    assert "--site is of the whole store" in ended.stderr
    assert run_bench("report", "--store", str(address), "-o", str(tmp_path / "r.html")).returncode == 2


def test_the_search_finds_by_every_word(filled: Path, tmp_path: Path) -> None:
    build(filled, tmp_path / "site")
    data = tmp_path / "site/data"
    (names,) = re.findall(r"rkbench.files\((.*)\);", (data / "files.js").read_text("utf-8"))
    told = "".join((data.parent / name).read_text("utf-8") for name in json.loads(names))
    for word in ("before-the-update", "mobilenetv2.hybrid", "rack-2", push_id(7), "rk3588", "2026-10-02"):
        assert word in told, word


def test_a_site_loads_no_drawing_library_but_for_reports(address: Path, tmp_path: Path) -> None:
    code = "import sys; sys.modules['vl_convert'] = None; from rkbench.cli import main; main()"
    words = ["report", "--site", str(tmp_path / "site"), "--store", str(address)]
    ended = subprocess.run([sys.executable, "-c", code, *words], check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    report = (tmp_path / "site" / f"reports/{push_id(29)}.html").read_text("utf-8")
    assert "rkbench[report]" in report
