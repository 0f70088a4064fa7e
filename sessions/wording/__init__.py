"""What happened, what is due and why something was refused, in words for people, in both languages. Pure."""
