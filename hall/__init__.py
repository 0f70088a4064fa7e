"""The live room: one read model, a view for each audience, and the hub that tells everyone. See PROTOCOL.md.

``views`` leaves out what an audience may not see, ``wire`` says how the rest is sent, ``rooms`` keeps an opening's
facts ready for everyone who reads them; ``buses`` ring other workers. The ``hub`` holds the rooms, the ``door`` lets
readers in, the ``timekeeper`` wakes what falls due. ``media`` is picture and sound, which the hall can do without.
"""
