"""What pages and refusals say, in both languages: which a reader gets, and the words beside the values they name."""
