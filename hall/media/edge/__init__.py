"""The edge: sources in (WHIP), seats out (WHEP), encrypted packets forwarded through one UDP and one TCP port."""
