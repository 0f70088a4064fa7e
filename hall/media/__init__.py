"""Picture and sound beside the ceremony: processes of their own that the hall can do without.

The web processes know ``engine`` (the port), ``link`` (how it is spoken), ``places`` and ``processes``; nothing
else in here may be imported by them, so that no codec is ever loaded where a bid is handled.
"""
