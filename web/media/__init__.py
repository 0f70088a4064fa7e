"""Picture and sound as pages and routes need them: where they are, who may send and watch, what was recorded."""
