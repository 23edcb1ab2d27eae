"""The sentences around a page: what is being computed, what went wrong, what to know about the answers."""

from __future__ import annotations

from html import escape

from explorer.errors import ExplorerError, MessageValue
from explorer.sizes import multiply_adds
from explorer.specs import ModelSpec
from explorer.state import ExplorerState
from explorer.texts import error_text, text
from explorer.trace import Trace
from explorer.tracer import Progress

__all__ = ["changes_text", "error_html", "facts_html", "notices", "status_html"]


def status_html(state: ExplorerState, *, opening: bool = False) -> str:
    """What is being computed, or the word *ready*.

    Parameters
    ----------
    state : ExplorerState
    opening : bool
        Whether a picture is being received or opened, of which the state knows nothing yet.
    """
    progress, language = state.progress, state.language
    if progress is None and opening:
        return _status("vx-busy", text("page.opening", language))
    if progress is None and state.trace is not None:
        # Until the browser has drawn the first stage, the style sheet shows the other word.
        return (
            f"<span class='vx-done' role='status' data-drawing='{escape(text('page.drawing', language))}'>"
            f"<span class='vx-dot'></span><span>{escape(text('page.ready', language))}</span></span>"
        )
    if progress is None:
        return _status("", text("page.starting", language))
    words = text(f"page.{progress.phase}", language)
    if progress.phase == "downloading" and progress.total:
        words = text(
            "page.downloading-part", language, done=_megabytes(progress.done), total=_megabytes(progress.total)
        )
    return _status("vx-busy", words, progress)


def error_html(error: BaseException | None, language: str) -> str:
    """A failure in words; an unexpected one by its type alone, since its text is meant for the log."""
    if error is None:
        return ""
    if isinstance(error, ExplorerError):
        sentence = error_text(error, language)
    else:
        sentence = text("page.unexpected", language, error=type(error).__name__)
    return f"<div class='vx-message' role='alert'>{escape(sentence)}</div>"


def facts_html(state: ExplorerState) -> str:
    """N, T, T² and the multiply-adds that follow from the sizes that are shown."""
    trace = state.trace
    if trace is None:
        return ""
    macs = multiply_adds(trace.spec, trace.image_size, trace.patch_size)
    million = f"{macs / 1e6:,.0f} M" if macs < 1e10 else f"{macs / 1e9:,.1f} G"
    items = [
        f"<span title='{escape(text(f'page.fact-{key}', state.language))}'><i>{symbol}</i> = <b>{number:,}</b></span>"
        for symbol, number, key in (
            ("N", trace.num_patches, "patches"),
            ("T", trace.num_tokens, "tokens"),
            ("T²", trace.num_tokens**2, "pairs"),
        )
    ]
    items.append(f"<br><b>{million}</b> {escape(text('page.fact-macs', state.language))}")
    return "".join(items)


def notices(trace: Trace | None, language: str) -> list[str]:
    """What one should know before believing the answers of a run."""
    if trace is None:
        return []
    spec: ModelSpec = trace.spec
    found = []
    if spec.random_weights:
        found.append(text("page.random-weights", language))
    image_size = trace.image.shape[0]
    for key, size, trained in (
        ("untrained-patch", trace.patch_size, spec.trained_patch_sizes),
        ("untrained-image", image_size, spec.trained_image_sizes),
    ):
        if size not in trained and not spec.random_weights:
            found.append(text(f"page.{key}", language, size=size, trained=", ".join(map(str, sorted(trained)))))
    return found


def changes_text(trace: Trace | None, language: str) -> str:
    """What was changed in a run that all stages show; nothing for the model's own run."""
    if trace is None or not trace.intervention:
        return ""
    listed = _separator(language).join(_changes(trace, language))
    return text("experiments.changed-run", language, changes=listed)


def _changes(trace: Trace, language: str) -> list[str]:
    change, places, found = trace.intervention, trace.grid[0] * trace.grid[1], []

    def add(key: str, **values: MessageValue) -> None:
        found.append(text(f"experiments.changed-{key}", language, **values))

    if change.order is not None:
        add("order", moved=sum(place != patch for place, patch in enumerate(change.order)), all=places)
    if change.pos_embed is None:
        add("no-positions")
    elif change.table is not None:
        add("positions")
    if change.kept_patches is not None:
        add("kept", dropped=places - len(change.kept_patches), all=places)
    if masked := tuple(change.masked):
        add("masked", masked=len(masked), all=places)
    heads = tuple(change.masked_heads)
    if len(heads) == 1:
        add("one-head", head=heads[0][1] + 1, layer=heads[0][0] + 1)
    elif heads:
        add("heads", heads=len(heads))
    for key, layers in (("msa", tuple(change.msa_off)), ("mlp", tuple(change.mlp_off))):
        if layers:
            add(key, layers=_separator(language).join(str(layer + 1) for layer in layers))
    return found


def _separator(language: str) -> str:
    return "、" if language == "ja" else ", "


def _status(css: str, words: str, progress: Progress | None = None) -> str:
    bar = ""
    if progress is not None and progress.total:
        bar = f" <progress max='{progress.total}' value='{progress.done}'></progress>"
    return f"<span class='{css}' role='status'><span class='vx-dot'></span>{escape(words)}{bar}</span>"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f}"
