"""How reports are shown: figures and sentences, as a text, as a frame and in a notebook."""

from __future__ import annotations

from html import escape
from typing import Any

Figure = tuple[str, float, str]


class Figures:
    """A report of figures and sentences."""

    @property
    def suggestions(self) -> tuple[str, ...]:
        """Sentences that say what was found, and what to do."""
        raise NotImplementedError

    def to_frame(self) -> Any:
        """Figures as a frame.

        Returns
        -------
        pandas.DataFrame
            Columns "figure", "value" and "meaning".
        """
        import pandas as pd

        return pd.DataFrame(self._figures(), columns=["figure", "value", "meaning"])

    def _title(self) -> str:
        raise NotImplementedError

    def _figures(self) -> list[Figure]:
        raise NotImplementedError

    def __str__(self) -> str:
        figures = self._figures()
        width = max(len(name) for name, _, _ in figures)
        lines = [f"  {name:{width}} {value:>9.3g}  {meaning}" for name, value, meaning in figures]
        return "\n".join([self._title(), *lines, *(f"- {sentence}" for sentence in self.suggestions)])

    def _repr_html_(self) -> str:
        samples = "".join(
            f"<tr><td>{escape(name)}</td><td>{value:.3g}</td><td>{escape(meaning)}</td></tr>"
            for name, value, meaning in self._figures()
        )
        items = "".join(f"<li>{escape(sentence)}</li>" for sentence in self.suggestions)
        head = "<tr><th>figure</th><th>value</th><th>meaning</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{samples}</tbody></table><ul>{items}</ul>"
