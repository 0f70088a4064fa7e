"""Scheduled openings and the tender's life: a pure core and the smallest shell that keeps it. See LIFECYCLE.md.

Packages know only those named before them; a contract in pyproject.toml holds them to it.

Rules, pure: ``opening`` and ``intake`` decide, ``recording`` says what is kept of picture and sound, ``wording`` puts
it into words, ``announcing`` makes a plan of a tender file and a rule pack; ``batch`` lets them decide in order.
The shell: ``appender`` and ``service`` keep what was decided, ``barrier`` opens bids, ``outside`` asks witnesses and
authorities, ``watch`` knows who is alive, ``notices`` writes to people, ``store`` holds everything on disk (``ports``
says what it must do).
The end: ``archive`` makes the bundle, ``papers`` the papers, ``verify`` checks both without the hall; ``backup``
saves what the hall holds.
``acts`` stands on all of it: what people and the hall do that the rules alone cannot judge.
"""
