"""One opening on this worker: its facts as each audience gets them, and those who read them."""
