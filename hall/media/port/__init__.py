"""What a web process may know of the media: where they are and how they are asked. No codec is loaded here."""
