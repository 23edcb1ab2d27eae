"""The link of a page: what it asked for is shown, and a button copies one to what is shown now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from urllib.parse import parse_qsl, urlsplit

from explorer.catalog import known_model
from explorer.links import LinkValues, link_query, read_link
from explorer.resources import BUNDLED_NAME
from explorer.samples import open_sample, sample_of
from explorer.state import ExplorerState
from explorer.texts import text
from explorer.widgets.link_button import LinkButton

__all__ = ["PageLink", "link_values"]

_QUERIED = frozenset(
    {
        "picture",
        "model",
        "random_weights",
        "patch_size",
        "image_size",
        "layer",
        "head",
        "token",
        "language",
        "experiment",
        "trace",
    }
)


class PageLink:
    """Reads the link that a page was opened with, and keeps the one that can be copied up to date.

    Parameters
    ----------
    state : ExplorerState
    experiments : tuple of str
        Names of the experiments that the page has.

    Attributes
    ----------
    button : LinkButton
    ignored : tuple of str
        Names of the link's parameters that are of no use here.
    unknown : bool
        Whether it had parameters that are not ours.
    close : callable
        Stops listening to the state.
    """

    def __init__(self, state: ExplorerState, experiments: tuple[str, ...] = ()) -> None:
        self.state = state
        self.button = LinkButton()
        self.button.add_class("vx-link")
        self.ignored: tuple[str, ...] = ()
        self.unknown = False
        self._experiments = experiments
        #: What is to be chosen once the trace is there.
        self._wanted: LinkValues | None = None
        self._error: BaseException | None = None
        self.close = state.subscribe(self._changed)
        self._say()
        self._tell()

    def open(self, link: str | Mapping[str, str]) -> LinkValues:
        """Show what a link asks for; what it does not speak of stays as it is.

        Layer, head and token are chosen once the trace is there, as far as the model has them. If what is asked for
        cannot be shown and nothing else is shown yet, the page opens as it does without a link, and says why.

        Parameters
        ----------
        link : str or mapping
            An address, its query, or the query's parameters. Nothing in it is trusted.

        Returns
        -------
        LinkValues
            What it asks for, checked.
        """
        if isinstance(link, str):
            link = _parameters(link)
        values, self.ignored, self.unknown = read_link(link, self._experiments)
        state = self.state
        inputs: dict[str, object] = {"patch_size": values.patch_size, "image_size": values.image_size}
        if values.sample is not None:
            inputs |= {"picture": open_sample(values.sample), "crop": (0.5, 0.5)}
        # The two names of the bundled model are one model.
        if values.model is not None and not (values.model == BUNDLED_NAME and state.model == "bundled"):
            inputs |= {"model": values.model, "random_weights": False}
        inputs |= {"language": values.lang, "experiment": values.experiment}
        self._wanted = values
        with state.batch():
            for name, value in inputs.items():
                if value is not None:
                    setattr(state, name, value)
        if not state.busy and state.trace is not None:
            self._choose()
        return values

    def notes(self) -> list[str]:
        """What is to be said about the link that was opened."""
        found = []
        if self.ignored:
            found.append(text("links.ignored", self.state.language, names=", ".join(self.ignored)))
        if self.unknown:
            found.append(text("links.unknown", self.state.language))
        return found

    # -- keeping up ------------------------------------------------------------------------------------------------

    def _changed(self, changes: frozenset[str]) -> None:
        if "language" in changes:
            self._say()
        if "error" in changes and self.state.error is not None:
            self._fall_back(self.state.error)
        if "trace" in changes and self.state.trace is not None:
            self._choose()
        if not changes.isdisjoint(_QUERIED):
            self._tell()

    def _choose(self) -> None:
        """Layer, head and token of the link; asked for once."""
        link, self._wanted = self._wanted, None
        error, self._error = self._error, None
        trace = self.state.trace
        if link is not None and trace is not None:
            with self.state.batch():
                if link.layer is not None:
                    self.state.layer = link.layer
                if link.head is not None:
                    self.state.head = link.head
                if link.prefix is not None and link.prefix < trace.num_prefix:
                    self.state.token = link.prefix
                elif link.patch is not None and link.patch in trace.patch_index:
                    self.state.token = trace.num_prefix + trace.patch_index.tolist().index(link.patch)
        if error is not None:
            self.state.report(error)

    def _fall_back(self, error: BaseException) -> None:
        """A page that a link opened is not left empty."""
        state = self.state
        if self._wanted is None or state.trace is not None or state.failed is None or self._error is not None:
            return
        self._error = error
        state.start_over()

    def _say(self) -> None:
        keys = {"label": "button"} | {key: key for key in ("hint", "copied", "line", "own", "own-model", "own-both")}
        self.button.texts = {name: text(f"links.{key}", self.state.language) for name, key in keys.items()}

    def _tell(self) -> None:
        with self.button.hold_sync():
            self.button.query = link_query(link_values(self.state))
            picture = self.state.picture
            self.button.own_picture = picture is not None and sample_of(picture.digest) is None
            self.button.own_model = not _can_be_linked(self.state)


def _parameters(link: str) -> dict[str, str]:
    """The parameters of an address or a query; those of what is neither are none that this page knows."""
    try:
        query = urlsplit(link).query if "?" in link else link
        return dict(parse_qsl(query, keep_blank_values=True))
    except ValueError:
        return {link: ""}


@cache
def _is_offered(model: str) -> bool:
    """Whether pages offer a model by name; remembered, as the list is read from files and each picked layer asks."""
    return known_model(model) is not None


def _can_be_linked(state: ExplorerState) -> bool:
    """Whether a link can ask for the model: other folders are nobody else's business, random weights are no model."""
    return _is_offered(state.model) and not state.random_weights


def link_values(state: ExplorerState) -> LinkValues:
    """What a link to a page as it is now asks for.

    An uploaded picture is not in it; neither is a model that pages do not offer by name, or one with random weights,
    and sizes, layer, head and token are left out with it.

    Parameters
    ----------
    state : ExplorerState
    """
    shown = LinkValues(
        sample=None if state.picture is None else sample_of(state.picture.digest),
        lang=state.language,
        experiment=state.experiment,
    )
    if not _can_be_linked(state):
        return shown
    trace, prefix, patch = state.trace, None, None
    if trace is not None and state.token < trace.num_prefix:
        prefix = state.token
    elif trace is not None:
        patch = int(trace.patch_index[state.token - trace.num_prefix])
    return replace(
        shown,
        model=state.model,
        patch_size=state.patch_size or None,
        image_size=state.image_size or None,
        layer=state.layer,
        head=state.head,
        prefix=prefix,
        patch=patch,
    )
