"""What others hold of an opening's logs, and what they say of a certificate: witnesses, timestamp and CA services."""
