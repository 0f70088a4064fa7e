"""Papers to keep and to print: the opening record and the receipt as PDF/A, sealed where the hall has a seal."""
