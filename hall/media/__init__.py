"""Picture and sound beside the ceremony: processes of their own that the hall can do without.

The web processes know ``port`` (where the media are and how they are asked); nothing else in here may bring them a
codec, so that none is ever loaded where a bid is handled. The ``programme`` process paints the ``picture``, speaks
with the ``voice`` and encodes once for everybody; the ``edge`` takes cameras in and gives the programme out by
WebRTC; both keep what passes as ``mp4`` and speak in ``packets``.
"""
