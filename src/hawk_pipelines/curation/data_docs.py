"""Great Expectations' Data Docs as pages that need nothing from elsewhere: no script, one style sheet, which lies beside them.

As they are built they take their styles, letters and scripts from seven servers, and are bare without the internet.
"""

import os
import re
import shutil
from pathlib import Path

STYLES = Path(__file__).with_name("data_docs.css")
_FROM_ELSEWHERE = re.compile(
    r"<script\b.*?</script>|<style\b.*?</style>|<link\b[^>]*>|<img\b[^>]*>|<footer\b.*?</footer>|\son\w+=\"[^\"]*\"",
    re.DOTALL | re.IGNORECASE,
)
"""What the pages' own templates hold; texts of tables are escaped in them and hold no tag."""


def make_readable_offline(folder: Path, first_page: Path) -> None:
    """Take out of every page what is fetched or run, give it our style sheet, and lead back to the first page.

    Args:
        folder: of the site, as it was built.
        first_page: takes the place of the site's own, which scripts draw.
    """
    own_first = folder / "index.html"
    for page in folder.rglob("*.html"):
        if page != own_first:
            text = page.read_text(encoding="utf-8")
            page.write_text(_offline(text, _from(page, folder), _from(page, first_page)), encoding="utf-8")
    leads = f'<meta http-equiv="refresh" content="0; url={_from(own_first, first_page)}">'
    own_first.write_text(f'<!doctype html><meta charset="utf-8">{leads}<title>Data Docs</title>\n', encoding="utf-8")
    shutil.rmtree(folder / "static", ignore_errors=True)  # four megabytes of letters and pictures of a tour
    (folder / "static").mkdir(parents=True)
    shutil.copyfile(STYLES, folder / "static" / STYLES.name)


def _offline(text: str, site: str, first_page: str) -> str:
    head = '<meta http-equiv="Content-Security-Policy" content="script-src \'none\'">'
    head += f'<link rel="stylesheet" href="{site}/static/{STYLES.name}">'
    text = _FROM_ELSEWHERE.sub("", text)
    text = re.sub(r'href="[./]*index\.html"', f'href="{first_page}"', text)
    return text.replace("</head>", f"{head}\n</head>", 1)


def _from(page: Path, place: Path) -> str:
    return Path(os.path.relpath(place, page.parent)).as_posix()
