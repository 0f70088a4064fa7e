"""The hall's own keys: where they lie, which one an opening keeps, and the one to which its bidders encrypt."""
