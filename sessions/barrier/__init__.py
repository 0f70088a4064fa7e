"""What is opened behind the barrier, and by what: released keys, officers' shares, rescues; and what is found."""
