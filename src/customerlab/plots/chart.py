"""A figure as it stands in a page: drawn wide and narrow, text kept as text, with its words."""

from __future__ import annotations

import hashlib
import io
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager, get_font
from matplotlib.textpath import text_to_path

from customerlab.messages import ENGLISH, Message, Words
from customerlab.page import glued, piece

INK, SOFT, RULE, PAPER = "#1d2429", "#57636c", "#d5dbdf", "#ffffff"
ACCENT, WARN = "#0b6e6e", "#a34713"
#: Tints of the accent, from dark to light: told apart in grey as well.
TINTS = ("#0b6e6e", "#5f9f9f", "#a3c8c8", "#d3e4e4")

#: What a line is broken between: Latin words and Chinese characters, with the marks that cling to
#: them, for no line ends with an opening bracket or begins with a full stop.
_BREAKABLE = re.compile(
    "[（“《【]*(?:[\u2e80-\u9fff\uff00-\uffef]|[^\\s\u2e80-\u9fff\uff00-\uffef]+\\s*|\\s+)"
    "[），。：；、”》】]*"
)

#: One unit of a figure is one CSS pixel where a page shows it at full size.
WIDE, NARROW = 800, 340
SIZE = 13.0

_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "customerlab",
    "text.parse_math": False,  # a dollar sign in a label is a dollar sign
    "font.family": "DejaVu Sans",  # only measures: the page's own fonts are shown
    "font.size": SIZE,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": SOFT,
    "axes.labelsize": SIZE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 1,
    "lines.solid_capstyle": "butt",
    "xtick.labelsize": SIZE,
    "ytick.labelsize": SIZE,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "xtick.major.pad": 8,
    "ytick.major.pad": 6,
}


@lru_cache
def _known_glyphs() -> frozenset[int]:
    path = fontManager.findfont(FontProperties(family="DejaVu Sans"))
    return frozenset(get_font(path).get_charmap())


@dataclass
class Labels:
    """Keeps text that matplotlib's font cannot draw away from it.

    A label with a character outside the font gets a Latin stand-in of the same width; the SVG
    carries the real text again. Characters of no width make every stand-in another one.
    """

    words: Words = ENGLISH
    _real: dict[str, str] = field(default_factory=dict)

    def __call__(self, text: Message | str) -> str:
        """Return what matplotlib may draw for `text`."""
        real = str(glued(self.words(text)))
        if all(ord(letter) in _known_glyphs() for letter in real):
            return real
        if real in self._real.values():
            return next(stand_in for stand_in, text in self._real.items() if text == real)
        number = f"{len(self._real):b}".translate({48: "\N{ZERO WIDTH SPACE}", 49: "\u200c"})
        letters = (_stand_in(letter) for letter in real)
        stand_in = f"\u200d{number}\u200d{''.join(letters)}"
        self._real[stand_in] = real
        return stand_in

    def exchange(self, svg: str) -> str:
        """Return `svg` with the real text in place of the stand-ins."""
        for stand_in, real in self._real.items():
            svg = svg.replace(escape(stand_in, quote=False), escape(real, quote=False))
        return svg


def _stand_in(letter: str) -> str:
    if unicodedata.east_asian_width(letter) in "WF":
        return "@"  # as wide as it is high
    return letter if ord(letter) in _known_glyphs() else "n"


def text_width(text: str, size: float = SIZE, *, bold: bool = False) -> float:
    """Return how wide a label is drawn, in the units of the figure."""
    font = FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]


@dataclass
class Canvas:
    """One drawing of a chart. Lengths are CSS pixels, counted from the upper left corner.

    Attributes
    ----------
    figure : Figure
    width : float
    words : Words
    labels : Labels
    """

    figure: Figure
    width: float
    words: Words
    labels: Labels
    height: float = 0.0

    @property
    def narrow(self) -> bool:
        """Whether it is drawn for a phone."""
        return self.width < WIDE

    def grow_to(self, height: float) -> None:
        """Set how high the drawing is; comes before any axes."""
        self.height = height
        self.figure.set_size_inches(self.width / 72, height / 72)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Return axes that fill this box."""
        box = (
            left / self.width,
            1 - (top + height) / self.height,
            width / self.width,
            height / self.height,
        )
        return self.figure.add_axes(box)

    def sheet(self) -> Axes:
        """Return axes over the whole drawing, in pixels, for text and plain shapes."""
        sheet = self.axes(0, 0, self.width, self.height)
        sheet.set(xlim=(0, self.width), ylim=(self.height, 0))
        sheet.set_axis_off()
        sheet.set_zorder(5)  # no line crosses a text
        return sheet

    def lines(self, text: Message | str, width: float, *, bold: bool = False) -> list[str]:
        """Break a text into labels that are at most `width` wide."""
        lines: list[str] = []
        for word in _BREAKABLE.findall(self.words(text)):
            longer = (lines[-1] if lines else "") + word
            if lines and text_width(self.labels(longer.rstrip()), bold=bold) <= width:
                lines[-1] = longer
            else:
                lines.append(word)
        return [self.labels(line.rstrip()) for line in lines] or [""]


@dataclass(frozen=True)
class Chart:
    """A figure with a title that says what it shows, and a text for who cannot see it.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
        The wide drawing. Change it before it is shown: ``chart.figure.axes[0].set_xlim(0, 12)``.
    title, alt : Message or str
    words : Words
    subtitle : Message or str
        Units, and how to read it.
    narrow : Figure, optional
        The drawing for a phone.
    labels : Labels
        What the drawings were lettered with.
    """

    figure: Figure
    title: Message | str
    alt: Message | str
    words: Words = ENGLISH
    subtitle: Message | str = ""
    narrow: Figure | None = None
    labels: Labels = field(default_factory=Labels)

    def _repr_html_(self) -> str:
        alt = self.words(self.alt)
        return piece(
            "chart.html.j2",
            self.words.language,
            title=self.words(self.title),
            subtitle=self.words(self.subtitle),
            wide=Markup(svg_text(self.figure, self.labels, alt)),
            narrow=Markup(svg_text(self.narrow or self.figure, self.labels, alt)),
        )


def draw(
    paint: Callable[[Canvas], None],
    words: Words,
    *,
    title: Message | str,
    alt: Message | str,
    subtitle: Message | str = "",
) -> Chart:
    """Return a chart that `paint` draws twice: for a laptop and paper, and for a phone."""
    labels = Labels(words)
    figures = []
    with matplotlib.rc_context(_STYLE):
        for width in (WIDE, NARROW):
            canvas = Canvas(Figure(), width, words, labels)
            paint(canvas)
            figures.append(canvas.figure)
    return Chart(figures[0], title, alt, words, subtitle, figures[1], labels)


def svg_text(figure: Figure, labels: Labels, alt: str) -> str:
    """Return a figure as an SVG element: the page's fonts, no date, ids of its own."""
    file = io.StringIO()
    with matplotlib.rc_context(_STYLE):
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(file, format="svg", transparent=True, metadata=metadata)
    svg = file.getvalue()
    width, height = (round(float(x) * 72) for x in figure.get_size_inches())
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<style.*?</style>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r" font-family: [^;\"]*;?", "", svg)  # the page's fonts have every script
    svg = re.sub(r' transform="rotate\(-?0 [^)]*\)"', "", svg)
    used = set(re.findall(r'"#([^"]+)"|url\(#([^)]+)\)', svg))
    used_ids = {name for pair in used for name in pair if name}
    svg = re.sub(r' id="([^"]*)"', lambda m: m[0] if m[1] in used_ids else "", svg)
    mark = "c" + hashlib.sha256(svg.encode()).hexdigest()[:8]
    for name in used_ids:  # ids count in the whole page
        svg = re.sub(rf'(["#]){re.escape(name)}(?=["\)])', rf"\g<1>{mark}-{name}", svg)
    head = (
        f'<svg viewBox="0 0 {width} {height}" style="max-width:{width}px" role="img" '
        f'aria-label="{escape(alt)}" xmlns="http://www.w3.org/2000/svg" '
        'xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    svg = head + svg[svg.index(">") + 1 :]
    return labels.exchange(re.sub(r"\n\s*", "\n", svg).strip())
