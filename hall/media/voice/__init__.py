"""What is heard: words that a voice reads rightly, said by a process of its own, and mixed."""
