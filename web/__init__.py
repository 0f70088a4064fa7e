"""The edge: pages, API, streams, identity, command line.

Packages know only those named before them; a contract in pyproject.toml holds them to it.

Beneath everything: ``settings``, ``answers`` (what goes back, refusals first), ``wording`` (both languages).
What a request is: ``asking`` says who asks and with what, ``outside`` whom the hall itself believes and asks.
What is shown: ``media`` (picture and sound), ``participant`` (a bidder's or officer's own program), ``pages`` (a view
in bytes), ``forms`` (a tender as a form and a file), ``downloads`` (what a reader takes away).
What serves: ``process`` and ``metrics``; ``services``, all that a hall runs on, and ``bootstrap``, where each real
thing is chosen; ``door`` is the one port, ``routes`` the addresses behind it, ``app`` both together; ``serving`` runs
it, in one process or several.
Beside the hall: ``witness`` (a log's witness, for others), ``standins`` (authorities for demonstrations), ``demo``,
``bench``, and ``cli``, the command line over all of it.
In the browser: ``client`` (TypeScript, built by ``assets``), ``static``, ``templates``, ``locale``.
"""
