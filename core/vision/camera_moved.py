"""Whether the camera itself moved: compared is what lasts in its picture with what was learned of it before.

What was learned outlives the rule (`view.py`): one that begins with what it sees takes a camera that was knocked before
for one that stands right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import ClassVar

from core.vision.camera_condition import RARE_PICTURES_S, Cadence, Held
from core.vision.light import Light, LightSense, has_colour
from core.vision.likeness import CLEAR, Match, agreeing, compare, edges_of, likeness_of, visible_beside
from core.vision.model import ObservationKind, Scene
from core.vision.scene_rule import Moment, Notebook
from core.vision.tuning import Tuning
from core.vision.view import LIT, Edges, LearnedView, LitView, Visible, pack_edges, prints_of_view, unpack_edges


class _Verdict(Enum):
    HERE = "here"
    """Where it was, beyond doubt."""

    MOSTLY = "mostly"
    """Where it was, as most parts of it say."""

    PARTLY = "partly"
    """Where it was, as some parts of it say: the rest is dark, dazzled or snow."""

    SHIFTED = "shifted"
    STRANGE = "strange"
    """It shows something else in a light in which it is known."""

    AS_USUAL = "as usual"
    """As much alike as ever, and with too few edges to say where it is."""

    OPEN = "open"
    """In a light in which nobody knows what it has to show, or not lately."""


@dataclass(slots=True)
class _Known:
    """What is to be seen in one light; usable once it is learned.

    Attributes:
        visible: Which of the edges were seen: masks may have been drawn elsewhere since.
        likeness: That pictures usually have with it; 0 as long as none was compared.
    """

    edges: Edges
    visible: Visible
    seen_at: datetime
    learned_s: float = 0.0
    likeness: float = 0.0
    followed_s: float = 0.0


class MovedRule:
    """The picture no longer shows what the zones were drawn on.

    Compared are edges that last: traffic is averaged away over seconds, light does not move edges. Each light has a
    view of its own (`light.py`), learned only while the picture agrees with one that is known. A shift is found by
    phase correlation, in any light. A view without anything in common is believed only where light cannot be the
    reason: its light is known and was seen lately, or it stood right just before and there was no switch between colour
    and infra-red. Elsewhere it cannot be judged, which is said and calls nobody.
    """

    kind: ClassVar[ObservationKind] = ObservationKind.CAMERA_MOVED

    LEARN_S, FOLLOW_S, RECENT_S = 8.0, 300.0, 2.5
    TELL_S = 300.0
    """So long it follows slow changes before it tells again what it learned."""

    AGREES_SLOWER = 4.0
    """So much longer takes what is learned from parts of the picture."""

    MOSTLY, PARTLY = 0.5, 0.3
    """Of the parts of a picture, how many have to agree."""

    STRANGE = 12.0
    """Standard deviations of the correlation, below which it has no peak."""

    UNLIKE = 0.65
    """Of the usual likeness, below which a picture without a peak shows something else."""

    STRUCTURE = 0.4
    """Of the known edges that a picture needs to be judged: fog and night are no movement."""

    LEAST_SPREAD = 5.0
    """Standard deviation of edges that are worth learning: a lens cap and the noise of a night have less."""

    KNOWN_FOR = timedelta(days=14)
    """What was seen so long ago may look otherwise by now: snow, leaves, works."""

    JUST_NOW_S = 60.0
    """Nothing but a switch to infra-red changes all of a picture in this time while its camera stands still."""

    OPEN_AFTER_S = 60.0
    SAME_SHAPE = 0.06
    """Pictures whose height over width differs by more show other parts of the world."""

    def __init__(self, scene: Scene) -> None:
        """Know nothing of the picture yet."""
        tuning = Tuning(scene)
        kind = ObservationKind.CAMERA_MOVED
        self._shift = tuning.value(kind, "shift")
        self._hold_s = tuning.value(kind, "hold_s")
        self._held = Held(kind, self._hold_s, end_s=self._hold_s)
        self._cadence = Cadence(1.0, RARE_PICTURES_S)
        self._drawn = self._drawn_before = prints_of_view(scene)
        self._visible = visible_beside(scene.private_parts)
        self._hides = bool(scene.private_parts)
        self._sense = LightSense()
        self._views: dict[Light, _Known] = {}
        self._shape = 0.0
        self._elsewhere: dict[float, dict[Light, _Known]] = {}
        self._rests = False
        self._recent: Edges | None = None
        self._recent_light = Light.UNKNOWN
        self._right_at_s: float | None = None
        self._right_light = Light.UNKNOWN
        self._open_s = 0.0
        self._was_moved = self._was_open = False
        self._is_news = False

    @property
    def noticed_within_s(self) -> float:
        """How long after it moved this may be told: of what has nothing in common only half the seconds count."""
        return 2 * self._hold_s + 2 * self.RECENT_S

    def start_from(self, view: LearnedView) -> None:
        """Go on from what an earlier rule learned; what was learned of another drawing is left aside."""
        if view.drawn.isdisjoint(self._drawn):
            return
        self._views = {
            one.light: _Known(
                edges=seen[0], visible=seen[1], seen_at=one.seen_at, learned_s=self.LEARN_S, likeness=one.likeness
            )
            for one in view.lit
            if (seen := unpack_edges(one.edges)) is not None
        }
        width, height = view.shapes.get(LIT, (0, 0))
        self._shape = height / width if width else 0.0
        self._drawn_before = view.drawn if self._views else self._drawn
        self._recent, self._right_at_s = None, None
        self._was_moved = view.is_moved and bool(self._views)
        if self._was_moved:
            self._held.resume()
        # What could not be judged before can be only once something says where the camera looks.
        self._was_open = view.is_open and bool(self._views) and not self._was_moved
        self._open_s = self.OPEN_AFTER_S if self._was_open else 0.0

    def forget(self) -> None:
        """What the camera shows now is right: learn it anew."""
        self._views, self._elsewhere, self._shape = {}, {}, 0.0
        self._drawn_before = self._drawn
        self._recent, self._right_at_s, self._open_s = None, None, 0.0
        self._is_news = self._was_moved = self._was_open = False
        self._held.drop()

    def take_news(self, told_at: datetime) -> LearnedView | None:
        """Return what is worth keeping: once it settled, every few minutes, and when the camera moved or is back."""
        if not self._is_news or self._rests:
            return None
        self._is_news = False
        return LearnedView(
            drawn=self._drawn_before,
            lit=tuple(
                LitView(
                    light=light, edges=pack_edges(one.edges, one.visible), likeness=one.likeness, seen_at=one.seen_at
                )
                for light, one in self._views.items()
                if one.likeness
            ),
            is_moved=self._held.has_begun,
            is_open=self.is_open,
            told_at=told_at,
        )

    def update(self, moment: Moment, note: Notebook) -> None:
        """Take one picture."""
        picture, small, grey = moment.picture, moment.grey, moment.fixed_grey
        if picture is None or small is None or grey is None or not self._visible.any():
            return
        step_s = self._cadence.due(moment.pts_s)
        # With every picture: whoever asks what was learned takes it for what pictures of this shape show.
        self._rests = not self._turn_to(moment.height_over_width)
        if self._rests:
            self._recent = None
        if self._rests or step_s is None or moment.shows_nothing:
            return
        light = self._sense.take(picture, small, moment.pts_s)
        edges = edges_of(grey) * self._visible
        recent = self._average(edges, light, step_s)
        if not self._usable:
            self._learn_first(recent, light, step_s, note.captured_at)
            return
        own = self._usable.get(light)
        if own is not None and self._is_flat(recent, own):
            return
        self._judge(edges, light, step_s, moment, note)
        if (self._held.has_begun, self.is_open) != (self._was_moved, self._was_open):
            self._was_moved, self._was_open = self._held.has_begun, self.is_open
            self._is_news = any(one.likeness for one in self._views.values())

    def say_again(self) -> None:
        """Tell once more that it moved, where it still shows something else."""
        self._held.say_again()

    def _turn_to(self, shape: float) -> bool:
        """Go by what was learned on pictures of this shape; return whether anything can be judged by them.

        A camera may have a second stream that shows another part of the world. What the one shows while the camera
        stands right says nothing of the other.
        """
        if not self._shape or abs(shape / self._shape - 1.0) <= self.SAME_SHAPE:
            self._shape = self._shape or shape
            return True
        known = next((one for one in self._elsewhere if abs(shape / one - 1.0) <= self.SAME_SHAPE), None)
        if known is None and (self._held.has_begun or (self.is_open and self._hides)):
            return False  # What is shown now is not right, or nobody knows: it must not be learned.
        if not self._held.has_begun:
            self._held.drop()  # What was doubted was a picture of the other shape.
        self._elsewhere[self._shape] = self._views
        self._views = {} if known is None else self._elsewhere.pop(known)
        self._shape = shape if known is None else known
        self._recent, self._right_at_s = None, None
        if not (self.is_open and self._hides):
            self._open_s = 0.0
        # What the other shape had to tell must not be told as of this one.
        self._is_news = any(one.likeness for one in self._views.values())
        return True

    @property
    def is_blind(self) -> bool:
        """Whether the picture shows something else than the scene was drawn on."""
        return self._held.has_begun

    @property
    def is_unsure(self) -> bool:
        """Whether the newest picture shows something else."""
        return self._held.has_begun or self._held.is_wrong

    @property
    def wavers(self) -> bool:
        """Whether the newest picture speaks against what is told."""
        return self._held.wavers

    @property
    def is_open(self) -> bool:
        """Whether it has been impossible for a while to judge where the camera looks."""
        return not self._held.has_begun and self._open_s >= self.OPEN_AFTER_S

    @property
    def _usable(self) -> dict[Light, _Known]:
        return {light: one for light, one in self._views.items() if one.learned_s >= self.LEARN_S}

    def _is_flat(self, recent: Edges, own: _Known) -> bool:
        seen = self._visible & own.visible
        return float((recent * seen).sum()) < self.STRUCTURE * float((own.edges * seen).sum())

    def _average(self, edges: Edges, light: Light, step_s: float) -> Edges:
        if self._recent is None or light is not self._recent_light or not step_s:
            self._recent = edges.copy()
        else:
            self._recent += (edges - self._recent) * (1 - math.exp(-max(step_s, 0.2) / self.RECENT_S))
        self._recent_light = light
        return self._recent

    def _learn_first(self, recent: Edges, light: Light, step_s: float, now: datetime) -> None:
        """Learn what the camera shows: nothing is known that could say where it looks."""
        self._views = {known: one for known, one in self._views.items() if known is light}
        self._learn(recent, light, step_s, now)
        one = self._views[light]
        if one.learned_s >= self.LEARN_S and float(one.edges.std()) < self.LEAST_SPREAD:
            self._views, self._recent = {}, None

    def _learn(self, recent: Edges, light: Light, step_s: float, now: datetime) -> None:
        one = self._views.get(light)
        if one is None:
            self._views[light] = _Known(edges=recent.copy(), visible=self._visible, seen_at=now)
        elif step_s:
            one.seen_at = now
            one.learned_s += step_s
            one.edges += (recent - one.edges) * min(1.0, step_s / one.learned_s)

    def _judge(self, edges: Edges, light: Light, step_s: float, moment: Moment, note: Notebook) -> None:
        assert self._recent is not None
        verdict, best = self._verdict(edges, self._recent, light, moment, note.captured_at)
        if verdict is _Verdict.OPEN:
            # As with `Held`: one rare picture is not enough.
            self._open_s += min(step_s, self.OPEN_AFTER_S / 4)
        elif verdict not in {_Verdict.SHIFTED, _Verdict.STRANGE} or not self.is_open:
            self._open_s = 0.0  # Until what speaks against it is told it stays open.
        is_right = verdict in {_Verdict.HERE, _Verdict.MOSTLY, _Verdict.PARTLY}
        if is_right:
            self._right_at_s = moment.pts_s
            self._right_light = light
        if self._sense.is_settled and verdict is _Verdict.HERE:
            self._follow(self._recent, light, step_s, note.captured_at)
        elif self._sense.is_settled and verdict is _Verdict.MOSTLY and not self._held.has_begun:
            self._follow(self._recent, light, step_s / self.AGREES_SLOWER, note.captured_at)
        is_shifted = verdict is _Verdict.SHIFTED
        # Neither here nor there: what held goes on to hold.
        is_wrong = not is_right and (is_shifted or verdict is _Verdict.STRANGE or self._held.has_begun)
        is_sure = is_shifted or verdict is _Verdict.HERE
        # What rests on parts, or on nothing in common, is believed more slowly: half the seconds count.
        self._held.take(
            is_wrong,
            step_s if is_sure or is_wrong is self._held.has_begun else step_s / 2,
            note,
            confidence=min(0.98, 0.8 + 0.005 * best.clear) if is_shifted else 0.85,
            values={"shift": round(best.shift, 4)} if is_shifted else {},
        )
        if is_right and not self._held.has_begun and self._drawn_before != self._drawn:
            # It stands right, so all that is drawn now was drawn before whoever knocks it next.
            self._drawn_before, self._is_news = self._drawn, True

    def _verdict(
        self, edges: Edges, recent: Edges, light: Light, moment: Moment, now: datetime
    ) -> tuple[_Verdict, Match]:
        """Return what a picture says, and the match that says it best; the view of its own light is asked first."""
        usable = self._usable
        asked = sorted(usable, key=lambda one: (one is not light, one is not self._right_light))
        matches: dict[Light, Match] = {}
        for known in asked:
            one = usable[known]
            match = compare(one.edges, recent, self._visible & one.visible, moment.height_over_width)
            matches[known] = match
            if match.clear >= CLEAR:
                return (_Verdict.HERE if match.shift < self._shift else _Verdict.SHIFTED), match
        best = max(matches.values(), key=lambda one: one.clear)
        share = max(agreeing(one.edges, edges, self._visible & one.visible) for one in usable.values())
        if share >= self.PARTLY:
            return (_Verdict.MOSTLY if share >= self.MOSTLY else _Verdict.PARTLY), best
        has_to_show = self._has_to_show(light, moment.pts_s, now)
        if has_to_show is None:
            return _Verdict.OPEN, best
        match, usual = matches[has_to_show], usable[has_to_show].likeness
        # Without a usual likeness the picture never yet was where it should be: nothing says that it was before.
        if usual > 0.0 and match.likeness >= self.UNLIKE * usual:
            return _Verdict.AS_USUAL, best
        return (_Verdict.STRANGE if usual > 0.0 and best.clear < self.STRANGE else _Verdict.OPEN), best

    def _has_to_show(self, light: Light, pts_s: float, now: datetime) -> Light | None:
        """Return the light whose view the camera has to show now; None where nobody can say that it has to."""
        usable = self._usable
        if light in usable and now - usable[light].seen_at <= self.KNOWN_FOR:
            return light
        was = self._right_at_s
        is_just_now = was is not None and 0 <= pts_s - was <= self.JUST_NOW_S
        if is_just_now and self._right_light in usable and has_colour(self._right_light) is has_colour(light):
            return self._right_light
        return None

    def _follow(self, recent: Edges, light: Light, step_s: float, now: datetime) -> None:
        """Learn on, day into night, while the picture is where it should be."""
        one = self._usable.get(light)
        if one is None:
            self._learn(recent, light, step_s, now)
            return
        self._views.pop(Light.UNKNOWN, None)
        likeness = likeness_of(one.edges, recent, self._visible & one.visible)
        bared = self._visible & ~one.visible
        one.edges[bared] = recent[bared]
        one.visible = self._visible
        one.seen_at = now
        one.followed_s += step_s
        if not one.likeness or one.followed_s >= self.TELL_S:
            self._is_news, one.followed_s = True, 0.0
        share = min(1.0, step_s / self.FOLLOW_S)
        one.edges += (recent - one.edges) * share
        one.likeness += (likeness - one.likeness) * (10 * share if one.likeness else 1.0)
