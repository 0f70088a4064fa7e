"""What was shown and said, recorded: the third stream of a session (LIFECYCLE.md, Recording).

``state`` and ``rules`` are pure, as the rules of the other streams; ``index`` is the form in which the recorder, in a
process of its own, says what it wrote; ``tail`` follows it; ``mp4`` and ``captions`` make what is shown afterwards.
"""

from sessions.commands import Gap
from sessions.recording.rules import decide
from sessions.recording.state import Part, Recording, evolve, gaps, noted

__all__ = ["Gap", "Part", "Recording", "decide", "evolve", "gaps", "noted"]
