"""What is on a page: its view, its words, its template. Bytes come out; nothing is asked of a session."""
